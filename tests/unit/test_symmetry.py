"""Canonical forms, counts and lists of distinct graphs, against brute force and hand-computed values."""

import itertools
import math
import random
from collections.abc import Callable

import pytest

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import Edge, KnowledgeTransferGraph, edges_of
from colgan_search.symmetry import (
    canonical,
    canonical_order,
    count_assignments,
    count_distinct,
    count_relabellings,
    distinct_graphs,
    relabellings,
)

GATES = list(Gate)
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
    return tuple(graph[Edge(0 if source == target else source, target)] for target in ks for source in ks)


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
    assert count_assignments(k, gates) == assignments
    assert count_distinct(k, gates) == distinct


def test_count_for_many_generators_is_bracketed() -> None:
    # Nearly every graph of k = 16 has no symmetry, so all but few have 16! relabellings.
    least = count_assignments(16, 4) // math.factorial(16)
    assert least <= count_distinct(16, 4) <= least + least // 10**6


@pytest.mark.parametrize(("k", "gates"), [(0, 4), (-1, 2), (2, 0), (65, 2), (10**9, 4)])
def test_counts_of_nothing_are_refused(k: int, gates: int) -> None:
    with pytest.raises(GraphError, match="at least one generator"):
        count_assignments(k, gates)
    with pytest.raises(GraphError, match="at least one generator"):
        count_distinct(k, gates)


@pytest.mark.parametrize(
    ("k", "gates"), [(1, GATES), (2, [T, C]), (2, GATES), (3, [T, C]), (3, [P, N]), (3, [N, T, C]), (4, [C, P])]
)
def test_the_list_has_one_graph_of_every_orbit(k: int, gates: list[Gate]) -> None:
    listed = list(distinct_graphs(k, gates))
    orbits = orbits_by_brute_force(k, gates)
    orbit_of = {table: orbit for orbit in orbits for table in orbit}
    assert len(listed) == len(orbits) == count_distinct(k, len(gates))
    assert {orbit_of[table_of(graph)] for graph in listed} == orbits
    assert all(canonical(graph) == graph for graph in listed)


def test_the_paper_space_in_full() -> None:
    listed = list(distinct_graphs(3))
    orbits = orbits_by_brute_force(3, GATES)
    orbit_of = {table: orbit for orbit in orbits for table in orbit}
    assert len(listed) == len(orbits) == 44_224
    assert {orbit_of[table_of(graph)] for graph in listed} == orbits
    assert all(canonical(graph) == graph for graph in listed[::7])


def test_a_list_too_long_is_refused_with_its_size() -> None:
    with pytest.raises(GraphError, match="k = 4 with 4 gates has 4,294,967,296 assignments"):
        distinct_graphs(4)
    with pytest.raises(GraphError, match=r"k = 5 with 2 gates has 33,554,432 assignments"):
        distinct_graphs(5, [T, C])
    with pytest.raises(GraphError, match=r"4\^4096 assignments"):
        distinct_graphs(64)


def test_gates_compare_in_the_order_of_their_definition() -> None:
    # D's gates come first in shell order; by spelling, cutoff would come before through.
    graph = KnowledgeTransferGraph.from_text("G1=D:n,G2:t/G2=D:p/G3=D:c,G1:p/G4=D:t")
    assert canonical_order(graph) == [4, 3, 2, 1]
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
    with pytest.raises(GraphError, match="up to k = 8"):
        relabellings(KnowledgeTransferGraph(9, (T,) * 81))


def test_above_64_generators_is_refused() -> None:
    with pytest.raises(GraphError, match="at most 64"):
        canonical(KnowledgeTransferGraph(65, (T,) * 65**2))


def cycle(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T if e.adversarial or (e.target - e.source) % k == 1 else C


def pairs(k: int) -> Callable[[Edge], Gate]:
    return lambda e: T if e.adversarial or (e.target - 1) // 2 == (e.source - 1) // 2 else C


def hypercube_cut(k: int) -> Callable[[Edge], Gate]:
    return lambda e: C if e.adversarial or ((e.source - 1) ^ (e.target - 1)).bit_count() == 1 else T


def two_shuffles(k: int) -> Callable[[Edge], Gate]:
    """Everyone teaches two and is taught by two: alike to colour refinement, but without symmetry."""
    chance = random.Random(k)
    follows = set()
    while len(follows) < 2 * k or any(a == b for a, b in follows):
        ours, theirs = (chance.sample(range(1, k + 1), k) for _ in range(2))
        follows = {*enumerate(ours, start=1), *enumerate(theirs, start=1)}
    return lambda e: T if e.adversarial or (e.source, e.target) in follows else C


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


@pytest.mark.parametrize("k", [8, 9, 16, 32])
@pytest.mark.parametrize(
    "rule", [cycle, pairs, hypercube_cut, two_shuffles, one_way, all_through, nearly_all_through, anything]
)
def test_large_graphs_have_one_canonical_form(rule: Callable[[int], Callable[[Edge], Gate]], k: int) -> None:
    gate = rule(k)
    graph = KnowledgeTransferGraph(k, tuple(gate(edge) for edge in edges_of(k)))
    order = list(range(1, k + 1))
    random.Random(k + 1).shuffle(order)
    ours = canonical(graph)
    assert graph.relabel(canonical_order(graph)) == ours
    assert canonical(graph.relabel(order)) == ours


@pytest.mark.parametrize("rule", [all_through, one_way, nearly_all_through])
def test_the_largest_graphs(rule: Callable[[int], Callable[[Edge], Gate]]) -> None:
    gate = rule(64)
    graph = KnowledgeTransferGraph(64, tuple(gate(edge) for edge in edges_of(64)))
    assert canonical(graph.relabel(list(range(64, 0, -1)))) == canonical(graph)


def test_large_graphs_that_differ_have_different_forms() -> None:
    # Two triangles and a hexagon: every generator teaches one and is taught by one in both.
    def rings(k: int, length: int) -> KnowledgeTransferGraph:
        edges = edges_of(k)
        follows = [
            (e.source - 1) // length == (e.target - 1) // length and (e.target - e.source) % length == 1 for e in edges
        ]
        return KnowledgeTransferGraph(
            k, tuple(T if e.adversarial or f else C for e, f in zip(edges, follows, strict=True))
        )

    for k in (6, 12):
        assert canonical(rings(k, 3)) != canonical(rings(k, 6))
        assert sorted(rings(k, 3).gates) == sorted(rings(k, 6).gates)
