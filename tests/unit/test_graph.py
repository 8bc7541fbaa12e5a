"""The knowledge transfer graph: edges, text, JSON, relabelling."""

import json
import re

import pytest

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, NEGATIVE, POSITIVE, THROUGH
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Edge, EdgeKind, Roster, discriminator, generator
from tests.graphs import among, edge

T, C, P, N = THROUGH, CUTOFF, POSITIVE, NEGATIVE
EXAMPLE = KnowledgeTransferGraph.from_edges(Roster(3), {edge(0, 1): T, edge(3, 1): P, edge(1, 2): N})
EXAMPLE_TEXT = "G1=D:t,G3:p/G2=G1:n/G3=-"


def test_edges_end_at_generators_and_are_k_squared() -> None:
    assert [edge.name for edge in Roster(2).edges] == ["D->G1", "G2->G1", "D->G2", "G1->G2"]
    assert [len(Roster(k).edges) for k in (1, 2, 3, 8)] == [1, 4, 9, 64]
    assert [edge.adversarial for edge in Roster(2).edges] == [True, False, True, False]


@pytest.mark.parametrize("k", [0, -1])
def test_a_graph_has_a_generator(k: int) -> None:
    with pytest.raises(GraphError, match="at least one generator"):
        Roster(k)


def test_gates_of_edges() -> None:
    assert EXAMPLE[edge(3, 1)] is P
    assert EXAMPLE[edge(0, 3)] is C
    with pytest.raises(KeyError, match="G4->G1"):
        EXAMPLE[edge(4, 1)]
    assert EXAMPLE.incoming(generator(1)) == ((edge(0, 1), T), (edge(3, 1), P))
    assert EXAMPLE.incoming(generator(3)) == ()


def test_equal_gates_are_equal_graphs_with_equal_hashes() -> None:
    same = KnowledgeTransferGraph(Roster(3), EXAMPLE.gates)
    other = KnowledgeTransferGraph(Roster(3), (C, *EXAMPLE.gates[1:]))
    assert same == EXAMPLE and hash(same) == hash(EXAMPLE)
    assert other != EXAMPLE
    assert len({same, EXAMPLE, other}) == 2


def test_a_wrong_number_of_gates_is_refused() -> None:
    with pytest.raises(GraphError, match="8 gates given; k = 3 has 9 edges"):
        KnowledgeTransferGraph(Roster(3), (T,) * 8)


def test_an_edge_outside_the_graph_is_refused() -> None:
    with pytest.raises(GraphError, match="edge G3->G1 is not among the 4 edges of k = 2"):
        KnowledgeTransferGraph.from_edges(Roster(2), {edge(3, 1): T})


def test_text_form() -> None:
    assert EXAMPLE.to_text() == EXAMPLE_TEXT
    assert KnowledgeTransferGraph.from_text(EXAMPLE_TEXT) == EXAMPLE


@pytest.mark.parametrize(
    "text",
    [
        " G1 = D : through , G3 : positive / G2 = G1 : NEGATIVE / G3 = - ",
        "G1=G3:p,D:t/G2=G1:n,D:c/G3=",
    ],
)
def test_text_form_in_other_words(text: str) -> None:
    assert KnowledgeTransferGraph.from_text(text) == EXAMPLE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot read ''"),
        ("G1", "cannot read 'G1'"),
        ("G2=D:t", "cannot read 'G2'"),
        ("G1=D:t/G3=D:t", "cannot read 'G3'"),
        ("G1=D:t/", "cannot read ''"),
        ("g1=D:t", "cannot read 'g1'"),
        ("G1=D", "cannot read 'D'"),
        ("G1=D:t,", "cannot read ''"),
        ("G1=D:t,-", "cannot read '-'"),
        ("G1=D1:t", "graph 'G1=D1:t' has the source 'D1'; several discriminators are targets too"),
        ("G1=D1:t/D2=-", "cannot read 'D2' in graph 'G1=D1:t/D2=-': several discriminators are targets too"),
        ("G1=D:t" + "/G3=-" * 5000, "/G3=-/...': write it like"),
        ("G1=D:x", "unknown gate 'x'"),
        ("G1=D:", "unknown gate ''"),
        ("G1=D:t:t", "unknown gate 't:t'"),
        ("G1=D:t,D:c", "edge D->G1 stands twice"),
        ("G1=D:t/G2=D:t,D:t", "edge D->G2 stands twice"),
        ("G1=G1:t", "G1 cannot teach itself"),
        ("G1=G2:t", "unknown node 'G2'; the nodes are D, G1"),
        ("G1=E:t", "unknown node 'E'"),
        ("G1=G01:t", "unknown node 'G01'"),
        ("G1=G٢:t/G2=D:t", "unknown node 'G٢'"),
        ("G1=G²:t/G2=D:t", "unknown node 'G²'"),
        ("G1=G" + "9" * 5000 + ":t", "unknown node"),
    ],
)
def test_malformed_text_is_refused(text: str, said: str) -> None:
    with pytest.raises(GraphError, match=re.escape(said)):
        KnowledgeTransferGraph.from_text(text)


def test_json_form() -> None:
    data = json.loads(json.dumps(EXAMPLE.to_json()))
    assert data["k"] == 3
    assert data["edges"]["D->G1"] == "through" and data["edges"]["D->G3"] == "cutoff"
    assert len(data["edges"]) == 9
    assert KnowledgeTransferGraph.from_json(data) == EXAMPLE


GOOD_EDGES = {"D->G1": "t", "G2->G1": "c", "D->G2": "p", "G1->G2": "n"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "a graph in JSON is"),
        ([], "a graph in JSON is"),
        ("G1=D:t", "a graph in JSON is"),
        ({"k": 1}, "a graph in JSON is"),
        ({"k": 1, "edges": {"D->G1": "t"}, "name": "x"}, "a graph in JSON is"),
        ({"k": 1, "edges": ["t"]}, "a graph in JSON is"),
        ({"k": "2", "edges": GOOD_EDGES}, "k is '2'"),
        ({"k": True, "edges": {"D->G1": "t"}}, "k is True"),
        ({"k": 2.0, "edges": GOOD_EDGES}, "k is 2.0"),
        ({"k": 0, "edges": {}}, "k is 0"),
        ({"k": -3, "edges": GOOD_EDGES}, "k is -3"),
        ({"k": 10**9, "edges": GOOD_EDGES}, "k = 1000000000 has more"),
        ({"k": 3, "edges": GOOD_EDGES}, "lacks the edges ['D->G3', 'G1->G3', 'G2->G3', 'G3->G1', 'G3->G2']"),
        ({"k": 2, "edges": {**GOOD_EDGES, "G3->G1": "t", 7: "t"}}, "unknown edges [7, 'G3->G1']"),
        ({"k": 2, "edges": {**GOOD_EDGES, "D->G1": "x"}}, "unknown gate 'x'"),
        ({"k": 2, "edges": {**GOOD_EDGES, "D->G1": None}}, "unknown gate 'None'"),
        ({"k": 2, "edges": {**GOOD_EDGES, "D->G1": 1.0}}, "unknown gate '1.0'"),
    ],
)
def test_malformed_json_is_refused(data: object, said: str) -> None:
    with pytest.raises(GraphError, match=re.escape(said)):
        KnowledgeTransferGraph.from_json(data)


def test_relabelling_renames_generators() -> None:
    # G3 becomes G1, G1 becomes G2, G2 becomes G3.
    assert EXAMPLE.relabel([3, 1, 2]).to_text() == "G1=-/G2=D:t,G1:p/G3=G2:n"
    assert EXAMPLE.relabel([1, 2, 3]) == EXAMPLE


@pytest.mark.parametrize("order", [[1, 2], [1, 1, 2], [0, 1, 2], [1, 2, 4]])
def test_an_order_that_is_none_is_refused(order: list[int]) -> None:
    with pytest.raises(GraphError, match="is not an order of the generators"):
        EXAMPLE.relabel(order)


def test_description_in_words() -> None:
    assert EXAMPLE.describe() == [
        "G1 learns from D at full weight (through), from G3 more and more (positive)",
        "G2 learns from G1 less and less (negative)",
        "G3 learns nothing: every edge is cut off",
    ]


def test_a_graph_shows_as_its_text() -> None:
    assert str(EXAMPLE) == EXAMPLE_TEXT
    assert eval(repr(EXAMPLE)) == EXAMPLE
    assert repr(T) == "Gate(through)"


# Several discriminators

TWO = KnowledgeTransferGraph.from_edges(
    Roster(2, 2),
    {
        Edge(discriminator(1), generator(1)): T,
        Edge(discriminator(2), generator(1)): P,
        edge(1, 2): N,
        among(2, 1): T,
    },
)
TWO_TEXT = "G1=D1:t,D2:p/G2=G1:n/D1=D2:t/D2=-"


def test_edges_of_several_discriminators() -> None:
    kinds = {e.name: e.kind for e in Roster(2, 2).edges}
    assert list(kinds) == ["D1->G1", "D2->G1", "G2->G1", "D1->G2", "D2->G2", "G1->G2", "D2->D1", "D1->D2"]
    adversarial, transfer, mutual = EdgeKind.ADVERSARIAL, EdgeKind.TRANSFER, EdgeKind.DISCRIMINATOR_TRANSFER
    assert list(kinds.values()) == [adversarial, adversarial, transfer] * 2 + [mutual] * 2
    assert [len(Roster(k, m).edges) for k, m in ((1, 2), (3, 2), (2, 3))] == [4, 14, 14]


def test_text_json_and_words_of_several_discriminators() -> None:
    assert TWO.to_text() == TWO_TEXT and KnowledgeTransferGraph.from_text(TWO_TEXT) == TWO
    data = json.loads(json.dumps(TWO.to_json()))
    assert data["discriminators"] == 2 and len(data["edges"]) == 8 and data["edges"]["D2->D1"] == "through"
    assert KnowledgeTransferGraph.from_json(data) == TWO
    assert TWO.describe()[2] == "D1 learns from real and generated images, from D2 at full weight (through)"


def test_relabelling_renames_discriminators() -> None:
    assert TWO.relabel([1, 2], [2, 1]).to_text() == "G1=D1:p,D2:t/G2=G1:n/D1=-/D2=D1:t"
    assert TWO.relabel([2, 1]).to_text() == "G1=G2:n/G2=D1:t,D2:p/D1=D2:t/D2=-"
    with pytest.raises(GraphError, match="is not an order of the discriminators"):
        TWO.relabel([1, 2], [1, 1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("G1=D:t/D1=-", "the only discriminator is called D, and no edge leads to it"),
        ("G1=D1:t/D2=-", "cannot read 'D2'"),
        ("D1=-/D2=-/G1=D1:t", "cannot read 'D1'"),
        ("G1=D1:t/D1=-/D3=-", "cannot read 'D3'"),
        ("G1=D:t/D1=-/D2=-", "unknown node 'D'; the nodes are D1, D2, G1"),
        ("G1=D3:t/D1=-/D2=-", "unknown node 'D3'"),
        ("G1=D1:t/D1=D1:t/D2=-", "D1 cannot teach itself"),
        ("G1=D1:t/D1=G1:t/D2=-", "generators do not teach discriminators"),
        ("D1=D2:t/D2=-", "at least one generator"),
    ],
)
def test_malformed_text_of_several_discriminators_is_refused(text: str, said: str) -> None:
    with pytest.raises(GraphError, match=re.escape(said)):
        KnowledgeTransferGraph.from_text(text)
