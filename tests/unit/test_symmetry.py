"""Canonical forms, counts and lists of distinct graphs, against brute force and hand-computed values."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable

import pytest

from colgan_search.errors import GraphError
from colgan_search.gates import PAPER_GATES, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Edge, Roster
from colgan_search.symmetry import (
    canonical,
    canonical_order,
    count_assignments,
    count_distinct,
    count_relabellings,
    distinct_graphs,
    relabellings,
)
from tests.graphs import edge

GATES = list(PAPER_GATES)
T, C, P, N = GATES


def orbits_by_brute_force(k: int, gates: list[Gate]) -> set[frozenset[tuple[Gate, ...]]]:
    """All sets of assignments that are relabellings of each other, by walking through every assignment.

    An independent implementation: gates in a k x k table, row = target, column = source, D's gate on the diagonal.
    """
    cells = [(target, source) for target in range(k) for source in range(k)]
    moves = [
        [cells.index((order[target], order[source])) for target, source in cells]
        for order in itertools.permutations(range(k))
    ]
    seen: set[tuple[Gate, ...]] = set()
    orbits = set()
    for table in itertools.product(gates, repeat=k * k):
        if table not in seen:
            orbit = frozenset(tuple([table[cell] for cell in move]) for move in moves)
            seen |= orbit
            orbits.add(orbit)
    return orbits


def table_of(graph: KnowledgeTransferGraph) -> tuple[Gate, ...]:
    """The graph in the form of `orbits_by_brute_force`."""
    ks = range(1, graph.k + 1)
    return tuple(graph[edge(0 if source == target else source, target)] for target in ks for source in ks)


@pytest.mark.parametrize(
    ("k", "gates", "assignments", "distinct"),
    [
        (1, 4, 4, 4),
        (2, 2, 16, 10),
        (2, 4, 256, 136),
        (3, 2, 512, 104),
        (3, 4, 262_144, 44_224),
        (4, 2, 65_536, 3044),
        (5, 1, 1, 1),
    ],
)
def test_counts(k: int, gates: int, assignments: int, distinct: int) -> None:
    assert count_assignments(Roster(k), gates) == assignments
    assert count_distinct(Roster(k), gates) == distinct


def test_count_for_many_generators_is_bracketed() -> None:
    # Nearly every graph of k = 16 has no symmetry, so all but few have 16! relabellings.
    least = count_assignments(Roster(16), 4) // math.factorial(16)
    assert least <= count_distinct(Roster(16), 4) <= least + least // 10**6


@pytest.mark.parametrize("k", [0, -1, 65, 10**9])
def test_rosters_that_no_graph_has(k: int) -> None:
    with pytest.raises(GraphError, match="at least one generator and at most 64"):
        Roster(k)
    with pytest.raises(GraphError, match="at least one discriminator and at most 16"):
        Roster(2, k)


def test_an_edge_has_a_gate() -> None:
    for count in (count_assignments, count_distinct):
        with pytest.raises(GraphError, match="0 gates: an edge has at least one"):
            count(Roster(2), 0)


@pytest.mark.parametrize(
    ("k", "gates"), [(1, GATES), (2, [T, C]), (2, GATES), (3, [T, C]), (3, [P, N]), (3, [N, T, C]), (4, [C, P])]
)
def test_the_list_has_one_graph_of_every_orbit(k: int, gates: list[Gate]) -> None:
    listed = list(distinct_graphs(Roster(k), gates))
    orbits = orbits_by_brute_force(k, gates)
    orbit_of = {table: orbit for orbit in orbits for table in orbit}
    assert len(listed) == len(orbits) == count_distinct(Roster(k), len(gates))
    assert {orbit_of[table_of(graph)] for graph in listed} == orbits
    assert all(canonical(graph) == graph for graph in listed)


def test_the_paper_space_in_full() -> None:
    listed = list(distinct_graphs(Roster(3)))
    orbits = orbits_by_brute_force(3, GATES)
    orbit_of = {table: orbit for orbit in orbits for table in orbit}
    assert len(listed) == len(orbits) == 44_224
    assert {orbit_of[table_of(graph)] for graph in listed} == orbits
    assert all(canonical(graph) == graph for graph in listed[::7])


def test_a_list_too_long_is_refused_with_its_size() -> None:
    with pytest.raises(GraphError, match="k = 4 with 4 gates has 4,294,967,296 assignments"):
        distinct_graphs(Roster(4))
    with pytest.raises(GraphError, match=r"k = 5 with 2 gates has 33,554,432 assignments"):
        distinct_graphs(Roster(5), [T, C])
    with pytest.raises(GraphError, match=r"4\^4096 assignments"):
        distinct_graphs(Roster(64))


def test_gates_compare_in_the_order_of_their_definition() -> None:
    # D's gates come first in shell order; by spelling, cutoff would come before through.
    graph = KnowledgeTransferGraph.from_text("G1=D:n,G2:t/G2=D:p/G3=D:c,G1:p/G4=D:t")
    assert canonical_order(graph) == ([4, 3, 2, 1], [1])
    assert canonical(graph).to_text() == "G1=D:t/G2=G4:p/G3=D:p/G4=D:n,G3:t"


def test_within_a_shell_the_earlier_generator_teaches_first() -> None:
    graph = KnowledgeTransferGraph.from_text("G1=D:t,G2:t/G2=D:t")
    assert canonical(graph).to_text() == "G1=D:t/G2=D:t,G1:t"


def test_relabellings_of_three_kinds_of_symmetry() -> None:
    full = KnowledgeTransferGraph.from_text("G1=D:t/G2=D:t/G3=D:t")
    swap = KnowledgeTransferGraph.from_text("G1=D:p/G2=D:t/G3=D:t")
    none = KnowledgeTransferGraph.from_text("G1=D:p/G2=D:t,G1:n/G3=D:t")
    cycle = KnowledgeTransferGraph.from_text("G1=D:t,G3:t/G2=D:t,G1:t/G3=D:t,G2:t")
    assert [count_relabellings(graph) for graph in (full, swap, none, cycle)] == [1, 3, 6, 2]
    listed = list(relabellings(none))
    assert listed[0] == none
    assert set(listed) == {none.relabel(order) for order in itertools.permutations((1, 2, 3))}


def cycle(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T if e.adversarial or (e.target.index - e.source.index) % k == 1 else C


def pairs(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T if e.adversarial or e.target.index // 2 == e.source.index // 2 else C


def hypercube_cut(k: int) -> Callable[[Edge], Gate]:
    return lambda e: C if e.adversarial or (e.source.index ^ e.target.index).bit_count() == 1 else T


def two_shuffles(k: int) -> Callable[[Edge], Gate]:
    """Everyone teaches two and is taught by two: alike to colour refinement, but without symmetry."""
    chance = random.Random(k)
    follows = set()
    while len(follows) < 2 * k or any(a == b for a, b in follows):
        ours, theirs = (chance.sample(range(1, k + 1), k) for _ in range(2))
        follows = {*enumerate(ours, start=1), *enumerate(theirs, start=1)}
    return lambda e: T if e.adversarial or (e.source.number, e.target.number) in follows else C


def one_way(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T if e.source < e.target else C


def all_through(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T


def nearly_all_through(k: int) -> Callable[[Edge], Gate]:
    chance = random.Random(k)
    return lambda e: T if chance.random() < 0.9 else C


def anything(k: int) -> Callable[[Edge], Gate]:
    chance = random.Random(k)
    return lambda e: chance.choice(GATES)


@pytest.mark.parametrize("k", [6, 7, 8])
@pytest.mark.parametrize(
    "rule", [cycle, pairs, hypercube_cut, two_shuffles, one_way, all_through, nearly_all_through, anything]
)
def test_larger_graphs_have_one_canonical_form(rule: Callable[[int], Callable[[Edge], Gate]], k: int) -> None:
    gate = rule(k)
    graph = KnowledgeTransferGraph(Roster(k), tuple(gate(edge) for edge in Roster(k).edges))
    order = list(range(1, k + 1))
    random.Random(k + 1).shuffle(order)
    ours = canonical(graph)
    assert graph.relabel(*canonical_order(graph)) == ours
    assert canonical(graph.relabel(order)) == ours


def test_graphs_with_too_many_relabellings_are_refused() -> None:
    for roster in (Roster(9), Roster(8, 2), Roster(64)):
        with pytest.raises(GraphError, match=r"relabellings; graphs are compared up to 40,320 \(k = 8\)"):
            canonical(KnowledgeTransferGraph(roster, (T,) * len(roster.edges)))


def test_graphs_that_differ_have_different_forms() -> None:
    # Two triangles and a hexagon: every generator teaches one and is taught by one in both.
    def rings(length: int) -> KnowledgeTransferGraph:
        def follows(e: Edge) -> bool:
            same = e.source.index // length == e.target.index // length
            return e.adversarial or (same and (e.target.number - e.source.number) % length == 1)

        return KnowledgeTransferGraph(Roster(6), tuple(T if follows(e) else C for e in Roster(6).edges))

    assert canonical(rings(3)) != canonical(rings(6))
    assert Counter(rings(3).gates) == Counter(rings(6).gates)


# Several discriminators: the group is S_k x S_m


def orbits_of_matrices(k: int, m: int, gates: list[Gate]) -> set[frozenset[tuple[Gate, ...]]]:
    """All orbits by brute force, an independent implementation: three matrices, permuted by rows and columns."""
    adversarial = [(j, i) for i in range(k) for j in range(m)]
    transfer = [(t, s) for t in range(k) for s in range(k) if t != s]
    mutual = [(a, b) for a in range(m) for b in range(m) if a != b]
    seen: set[tuple[Gate, ...]] = set()
    orbits = set()
    for gate in itertools.product(gates, repeat=len(adversarial) + len(transfer) + len(mutual)):
        if gate in seen:
            continue
        a = dict(zip(adversarial, gate, strict=False))
        t = dict(zip(transfer, gate[len(adversarial) :], strict=False))
        d = dict(zip(mutual, gate[len(adversarial) + len(transfer) :], strict=False))
        orbit = frozenset(
            (
                *(a[q[j], p[i]] for j, i in adversarial),
                *(t[p[x], p[y]] for x, y in transfer),
                *(d[q[x], q[y]] for x, y in mutual),
            )
            for p in itertools.permutations(range(k))
            for q in itertools.permutations(range(m))
        )
        seen |= orbit
        orbits.add(orbit)
    return orbits


@pytest.mark.parametrize(
    ("k", "m", "gates"),
    [(1, 2, GATES), (2, 2, [T, C]), (2, 2, [T, P, N]), (1, 3, [T, C]), (3, 2, [T, C]), (2, 3, [T, C])],
)
def test_orbits_of_several_discriminators(k: int, m: int, gates: list[Gate]) -> None:
    roster = Roster(k, m)
    orbits = orbits_of_matrices(k, m, gates)
    listed = list(distinct_graphs(roster, gates))
    assert len(orbits) == count_distinct(roster, len(gates)) == len(listed)
    assert sum(map(len, orbits)) == count_assignments(roster, len(gates))
    assert all(canonical(graph) == graph for graph in listed)
    assert sum(map(count_relabellings, listed)) == count_assignments(roster, len(gates))


def test_the_space_of_the_future_work() -> None:
    # 14 edges and 12 relabellings: Burnside by hand over the classes of S_3 x S_2, whose edges move in so many cycles.
    by_hand = (4**14 + 3 * 4**9 + 2 * 4**6 + 4**10 + 3 * 4**7 + 2 * 4**4) // 12
    assert len(Roster(3, 2).edges) == 14
    assert count_distinct(Roster(3, 2), 4) == by_hand


def test_what_would_take_hours_to_count_is_refused_at_once() -> None:
    with pytest.raises(GraphError, match="k = 64, 16 discriminators is too large to count"):
        count_distinct(Roster(64, 16), 4)
    assert count_distinct(Roster(30, 8), 1) == 1
