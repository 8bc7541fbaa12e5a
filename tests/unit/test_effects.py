"""Marginal effects of gates on classes of edges, against sums by hand and against brute force over all assignments."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from colgan_search.errors import BadInput
from colgan_search.figures.effects import effects_figure
from colgan_search.gates import CUTOFF, PAPER_GATES, THROUGH, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster
from colgan_search.surrogate import GraphModel
from colgan_search.surrogate.effects import Effect, marginal_effects
from colgan_search.surrogate.views import space_of
from colgan_search.symmetry import distinct_graphs


class Known(GraphModel):
    """A model that knows each generator's score: 1 if D teaches it at full weight, plus a tenth of its place."""

    def drawn(self, random: np.random.Generator) -> NDArray[np.float64]:
        gates, edges = len(self.space.gates), self.space.roster.edges
        codes = np.indices([gates] * len(edges), dtype=np.int8).reshape(len(edges), -1).T
        return self.score_of(codes)

    def score_draws(self, graphs: Sequence[KnowledgeTransferGraph], n: int, seed: int) -> NDArray[np.float64]:
        views = self.space.views(self.space.encode(graphs))
        return np.stack([np.stack([self.score_of(view) for view in views])] * n)

    def score_of(self, views: NDArray[np.int8]) -> NDArray[np.float64]:
        """Of the first generator of each view."""
        first = [edge.name for edge in self.space.roster.edges].index("D->G1")
        return np.asarray(views[:, first] == self.space.gates.index(THROUGH), dtype=np.float64)


def known(k: int, gates: tuple[Gate, ...]) -> Known:
    space = space_of(Roster(k), gates)
    codes = np.random.default_rng(0).integers(len(gates), size=(3, k * k)).astype(np.int8)
    fitted = GraphModel.of_codes(space, codes, np.arange(3.0 * k).reshape(3, k), hyper=None)
    return Known(**{name: getattr(fitted, name) for name in fitted.__dataclass_fields__})


def by_name(effects: Sequence[Effect]) -> dict[tuple[str, str], float]:
    return {(effect.edges, effect.gate): effect.mean for effect in effects}


def test_effects_by_hand() -> None:
    found = by_name(marginal_effects(known(2, (THROUGH, CUTOFF)), draws=2))
    # The value is 1 unless both edges of D are cut: 3 of 4. Equals are the best generator in equal parts.
    assert found == pytest.approx(
        {
            ("D->G", "through"): 1 - 3 / 4,
            ("D->G", "cutoff"): 1 / 2 - 3 / 4,
            ("G->G", "through"): 0.0,
            ("G->G", "cutoff"): 0.0,
            # The best generator is taught in three of four cases, and its value is 1 then.
            ("D->best", "through"): 1 - 3 / 4,
            ("D->best", "cutoff"): 0 - 3 / 4,
            # The other one is taught if both are; if it is not, the value is 1 in two of three cases.
            ("D->others", "through"): 1 - 3 / 4,
            ("D->others", "cutoff"): 2 / 3 - 3 / 4,
            **{(edges, gate): 0.0 for edges in ("others->best", "best->others") for gate in ("through", "cutoff")},
        },
        abs=1e-6,
    )


def test_three_generators_have_edges_among_the_others_and_one_has_none() -> None:
    found = by_name(marginal_effects(known(3, PAPER_GATES), draws=2))
    assert found["D->G", "through"] == pytest.approx((3 / 4) ** 3, abs=1e-5)
    assert found["D->G", "negative"] == pytest.approx((3 / 4) ** 3 - (3 / 4) ** 2, abs=1e-5)
    assert found["among others", "positive"] == pytest.approx(0.0, abs=1e-5)
    assert {edges for edges, _ in by_name(marginal_effects(known(1, PAPER_GATES), draws=2))} == {"D->G"}


def test_a_space_that_is_too_large_to_list_is_sampled() -> None:
    model = known(4, PAPER_GATES)
    assert not model.space.listed
    found = by_name(marginal_effects(model, draws=2))
    # 400 random graphs: the standard error of each mean is below 0.03.
    assert found["D->G", "through"] == pytest.approx((3 / 4) ** 4, abs=0.1)
    assert abs(found["G->G", "positive"]) < 0.1


def test_intervals_of_a_fitted_model_hold_what_brute_force_finds() -> None:
    gates, dice = (THROUGH, CUTOFF), np.random.default_rng(4)
    roster = Roster(2)

    def scores(graph: KnowledgeTransferGraph) -> list[float]:
        taught = {edge.name: float(gate is THROUGH) for edge, gate in graph.items()}
        return [2.0 * taught[f"D->G{i}"] + 0.5 * taught[f"G{3 - i}->G{i}"] for i in (1, 2)]

    graphs = list(distinct_graphs(roster, gates)) * 12
    measured = [[score + 0.2 * dice.standard_normal() for score in scores(graph)] for graph in graphs]
    effects = marginal_effects(GraphModel.fit(graphs, measured, gates=gates), draws=100)
    everything = [
        KnowledgeTransferGraph(roster, chosen) for chosen in itertools.product(gates, repeat=len(roster.edges))
    ]
    values = {graph: max(scores(graph)) for graph in everything}
    mean = np.mean(list(values.values()))
    for effect in effects:
        if effect.edges not in ("D->G", "G->G"):
            continue
        names = [edge for edge in roster.edges if (edge.source.letter == "D") == (effect.edges == "D->G")]
        having = [value for graph, value in values.items() for e in names if dict(graph.items())[e].name == effect.gate]
        truth = float(np.mean(having) - mean)
        half = (effect.high - effect.low) / 2
        assert effect.mean == pytest.approx(truth, abs=2 * half) and half < 0.15
        assert effect.told_apart and np.sign(effect.mean) == np.sign(truth)


def test_the_picture_has_a_point_for_each_effect_and_names_its_classes() -> None:
    effects = marginal_effects(known(2, (THROUGH, CUTOFF)), draws=2)
    figure = effects_figure(effects, "a title", label="IS", importance={"D->G": 0.47})
    (axes,) = figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["D->G\nfANOVA 0.47", "G->G", "D->best", "D->others", "others->best", "best->others"]
    points = [line for line in axes.lines if line.get_marker() not in ("None", None, "")]
    means: Any = sorted(float(np.asarray(line.get_xdata())[0]) for line in points)
    assert means == pytest.approx(sorted(effect.mean for effect in effects))
    with pytest.raises(BadInput, match="no effects to draw"):
        effects_figure([])


def test_an_effect_far_beyond_the_others_is_written_at_the_edge() -> None:
    near = [
        Effect("D->G", gate, mean, mean - 0.01, mean + 0.01) for gate, mean in (("through", 0.1), ("positive", -0.2))
    ]
    figure = effects_figure([*near, Effect("D->G", "cutoff", -2.5, -2.7, -2.3)])
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["-2.50 \u00b1 0.20"]
    assert axes.get_xlim() == pytest.approx((-0.2205, 0.2205))
