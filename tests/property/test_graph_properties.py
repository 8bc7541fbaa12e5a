"""Properties of graphs that hold for all of them (Hypothesis)."""

import contextlib
import itertools
import json
import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, POSITIVE, THROUGH
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import resolve
from colgan_search.roster import Roster
from colgan_search.symmetry import canonical, canonical_order, count_relabellings
from tests.graphs import edge

# Nothing here goes by the clock of a busy machine.
SETTINGS = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def graphs(draw: st.DrawFn, max_k: int = 6) -> KnowledgeTransferGraph:
    """Graphs of 1..max_k generators; few gates in use, and whole rows repeated, so that symmetries are common."""
    k = draw(st.integers(1, max_k))
    used = draw(st.lists(st.sampled_from(list(PAPER_GATES)), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        return KnowledgeTransferGraph(
            Roster(k), tuple(draw(st.lists(st.sampled_from(used), min_size=k * k, max_size=k * k)))
        )
    # Generators of a few kinds; the gate of an edge depends on the kinds of its ends alone.
    kinds = draw(st.lists(st.integers(0, 2), min_size=k, max_size=k))
    by_kind = {pair: draw(st.sampled_from(used)) for pair in itertools.product(range(-1, 3), range(3))}
    edges = [edge(s, t) for t in range(1, k + 1) for s in range(k + 1) if s != t]
    return KnowledgeTransferGraph.from_edges(
        Roster(k), {e: by_kind[-1 if e.adversarial else kinds[e.source.index], kinds[e.target.index]] for e in edges}
    )


def smallest_by_brute_force(graph: KnowledgeTransferGraph) -> list[int]:
    """The ranks of the gates in shell order, smallest over all k! numberings: straight from the definition."""
    rank = {THROUGH: 0, CUTOFF: 1, POSITIVE: 2, NEGATIVE: 3}
    table = {(0 if e.adversarial else e.source.number, e.target.number): rank[gate] for e, gate in graph.items()}

    def in_shells(order: tuple[int, ...]) -> list[int]:
        found = []
        for n, new in enumerate(order):
            found.append(table[0, new])
            for old in order[:n]:
                found += [table[old, new], table[new, old]]
        return found

    return min(in_shells(order) for order in itertools.permutations(range(1, graph.k + 1)))


def shells(graph: KnowledgeTransferGraph) -> list[int]:
    """The ranks of the graph's own gates in shell order."""
    ranks = list(PAPER_GATES)
    found = []
    for n in range(1, graph.k + 1):
        found.append(ranks.index(graph[edge(0, n)]))
        for i in range(1, n):
            found += [ranks.index(graph[edge(i, n)]), ranks.index(graph[edge(n, i)])]
    return found


@SETTINGS
@given(graphs())
def test_canonical_is_the_smallest_relabelling(graph: KnowledgeTransferGraph) -> None:
    ours = canonical(graph)
    assert shells(ours) == smallest_by_brute_force(graph)
    assert graph.relabel(*canonical_order(graph)) == ours


@SETTINGS
@given(graphs(max_k=8), st.data())
def test_canonical_is_the_same_for_all_relabellings(graph: KnowledgeTransferGraph, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(1, graph.k + 1)))
    assert canonical(graph.relabel(order)) == canonical(graph)
    assert canonical(canonical(graph)) == canonical(graph)


@SETTINGS
@given(graphs(max_k=4), st.data())
def test_canonical_tells_apart_what_is_no_relabelling(graph: KnowledgeTransferGraph, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, graph.k**2 - 1))
    gate = data.draw(st.sampled_from(list(PAPER_GATES)))
    other = KnowledgeTransferGraph(graph.roster, (*graph.gates[:place], gate, *graph.gates[place + 1 :]))
    isomorphic = any(graph.relabel(order) == other for order in itertools.permutations(range(1, graph.k + 1)))
    assert (canonical(graph) == canonical(other)) == isomorphic


@SETTINGS
@given(graphs(max_k=5))
def test_relabellings_times_symmetries_are_k_factorial(graph: KnowledgeTransferGraph) -> None:
    orders = itertools.permutations(range(1, graph.k + 1))
    symmetries = sum(graph.relabel(order) == graph for order in orders)
    assert count_relabellings(graph) * symmetries == math.factorial(graph.k)


@SETTINGS
@given(graphs(max_k=12))
def test_text_and_json_read_back(graph: KnowledgeTransferGraph) -> None:
    assert KnowledgeTransferGraph.from_text(graph.to_text()) == graph
    assert KnowledgeTransferGraph.from_json(json.loads(json.dumps(graph.to_json()))) == graph
    assert resolve(graph.to_text(), Roster(graph.k)) == graph
    assert resolve(json.dumps(graph.to_json())) == graph


@SETTINGS
@given(graphs(max_k=8), st.data())
def test_relabelling_moves_every_gate_with_its_edge(graph: KnowledgeTransferGraph, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(1, graph.k + 1)))
    moved = graph.relabel(order)
    for (source, target), gate in (((e.source.number, e.target.number), gate) for e, gate in moved.items()):
        assert graph[edge(order[source - 1] if source else 0, order[target - 1])] is gate


TEXT_LIKE = st.lists(
    st.sampled_from(["G1", "G2", "G3", "D", "=", ":", ",", "/", "-", "t", "c", "through", " ", "G", "0", "x"]),
    max_size=14,
).map("".join)


@settings(SETTINGS, max_examples=80)
@given(st.one_of(TEXT_LIKE, st.text(max_size=30)))
def test_any_text_is_a_graph_or_a_graph_error(text: str) -> None:
    graph = None
    with contextlib.suppress(GraphError):
        graph = KnowledgeTransferGraph.from_text(text)
    assert graph is None or KnowledgeTransferGraph.from_text(graph.to_text()) == graph


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 5), st.floats(), st.sampled_from(["t", "D->G1", "x"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["k", "edges", "D->G1", "D->G2", "G1->G2", "G2->G1"]), inner, max_size=6),
    ),
    max_leaves=12,
)


@settings(SETTINGS, max_examples=80)
@given(st.one_of(JSON, st.fixed_dictionaries({"k": JSON, "edges": JSON})))
def test_any_json_is_a_graph_or_a_graph_error(data: object) -> None:
    graph = None
    with contextlib.suppress(GraphError):
        graph = KnowledgeTransferGraph.from_json(data)
    assert graph is None or len(graph.gates) == len(graph.roster.edges)
