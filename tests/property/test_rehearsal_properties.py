"""What holds for every synthetic function and every table: names of generators mean nothing (Hypothesis)."""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colgan_search.gates import PAPER_GATES
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.functions import FAMILIES
from colgan_search.rehearsal.measured import Measured
from colgan_search.rehearsal.nearest import Nearest
from colgan_search.rehearsal.problem import all_digits, digits
from colgan_search.rehearsal.synthetic import MEAN, SD, Noise, Synthetic, synthetic
from colgan_search.roster import Roster
from colgan_search.symmetry import canonical
from tests.rehearsal import FAIR, GOOD, POOR, noisy_table

SETTINGS = settings(max_examples=40, deadline=None, derandomize=True)
relabelled_graphs = st.tuples(
    st.lists(st.sampled_from(PAPER_GATES), min_size=9, max_size=9), st.permutations([1, 2, 3])
)


@functools.lru_cache
def function(name: str, seed: int) -> Synthetic:
    return synthetic(name, Roster(3), PAPER_GATES, Noise(), seed)


@pytest.mark.parametrize("name", FAMILIES.names())
@given(drawn=relabelled_graphs, seed=st.integers(0, 3))
@SETTINGS
def test_relabelling_a_graph_relabels_its_scores(name: str, drawn: tuple[list, list[int]], seed: int) -> None:  # type: ignore[type-arg]
    gates, order = drawn
    graph = KnowledgeTransferGraph(Roster(3), tuple(gates))
    problem = function(name, seed)
    before, after = problem.means(graph), problem.means(graph.relabel(order))
    assert after == pytest.approx(before[np.array(order) - 1], abs=1e-12)
    assert problem.judged(graph.relabel(order)) == pytest.approx(problem.judged(graph), abs=1e-12)
    assert problem.judged(graph) <= problem.best + 1e-12


@pytest.mark.parametrize("name", FAMILIES.names())
def test_a_family_is_drawn_by_seed_and_all_have_one_scale(name: str) -> None:
    everything = all_digits(Roster(3), PAPER_GATES)
    assert len(everything) == 44_224  # the paper's k = 3, by Burnside's lemma
    values = []
    for seed in (0, 1):
        problem = function(name, seed)
        graphs = [KnowledgeTransferGraph(Roster(3), tuple(PAPER_GATES[g] for g in row)) for row in everything[::101]]
        values.append(np.array([problem.judged(graph) for graph in graphs]))
        best_means = np.array([problem.means(graph).max() for graph in graphs])
        assert abs(best_means.mean() - MEAN) < SD / 3  # a sample of all graphs
        # One of three generators is lucky: by 1.5 / sqrt(pi) of its own noise where all are alike, by less elsewhere.
        lucky = values[-1] - best_means
        assert lucky.min() > -1e-9 and lucky.max() < 1.5 / np.sqrt(np.pi) * SD + 1e-9
        assert problem.best >= values[-1].max()
    assert not np.allclose(*values)
    again = synthetic(name, Roster(3), PAPER_GATES, Noise(), 0)
    assert again.best == function(name, 0).best


@given(order=st.permutations([1, 2]), which=st.sampled_from([GOOD, FAIR, POOR]), seed=st.integers(0, 9))
@SETTINGS
def test_a_measured_training_is_relabelled_with_its_graph(order: list[int], which: str, seed: int) -> None:
    graph = KnowledgeTransferGraph.from_text(which)
    own, other = (
        Measured(noisy_table()).train(one, np.random.default_rng(seed)) for one in (graph, graph.relabel(order))
    )
    # Generators that are alike in the graph have no names to be told apart by.
    moved = graph.relabel(order) != graph
    assert other.scores.tolist() == (own.scores[:, np.array(order) - 1] if moved else own.scores).tolist()
    assert other.value == own.value


@given(drawn=relabelled_graphs)
@SETTINGS
def test_nearest_is_nearest_by_brute_force(drawn: tuple[list, list[int]]) -> None:  # type: ignore[type-arg]
    graph = KnowledgeTransferGraph(Roster(3), tuple(drawn[0]))
    texts = ("G1=D:t/G2=G1:p/G3=-", "G1=D:t,G2:n/G2=D:p/G3=D:n,G1:t", "G1=-/G2=-/G3=-")
    measured = [KnowledgeTransferGraph.from_text(text) for text in texts]
    nearest = Nearest(measured, PAPER_GATES, 0)
    found = nearest.to(graph)
    assert canonical(found) in {canonical(one) for one in measured} and nearest.has(found)
    orders = ((1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1), (3, 1, 2), (3, 2, 1))
    least = min(
        sum(a is not b for a, b in zip(one.relabel(order).gates, graph.gates, strict=True))
        for one in measured
        for order in orders
    )
    assert sum(a is not b for a, b in zip(found.gates, graph.gates, strict=True)) == least


def test_digits_refuses_a_foreign_gate() -> None:
    from colgan_search.errors import GraphError

    with pytest.raises(GraphError, match="positive"):
        digits([KnowledgeTransferGraph.from_text("G1=D:p")], PAPER_GATES[:2])
