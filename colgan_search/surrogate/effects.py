"""Which edges and gates matter: marginal effects over all labellings, with intervals from joint draws of the model.

The effect of a gate on a class of edges is the mean value of the graphs with that gate on an edge of the class, less
the mean of all. The mean is over all assignments of gates to edges, each with the same weight (a graph with several
edges of the class that carry the gate counts once for each), and a graph's value is its best generator's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colgan_search.roster import EdgeKind
from colgan_search.surrogate.look import Floats
from colgan_search.surrogate.model import GraphModel
from colgan_search.surrogate.views import Codes, Space

DRAWS = 40
"""Joint draws: the width of an interval is then known to about a tenth."""
SAMPLED = 400
"""Graphs that stand for a space that is too large to be listed, drawn at random."""
NORMAL_95 = 1.959964

KIND_WORDS = {
    EdgeKind.ADVERSARIAL: "D->G",
    EdgeKind.TRANSFER: "G->G",
    EdgeKind.DISCRIMINATOR_TRANSFER: "D->D",
}
ROOTED_WORDS = ("D->best", "D->others", "others->best", "best->others", "among others", "D->D")
"""What an edge is to the graph's best generator, in the order of `Space.classes`."""


@dataclass(frozen=True)
class Effect:
    """How much better (in the scores' units, larger is better) graphs with this gate on such an edge are."""

    edges: str
    """`D->G`, `G->G` for all edges of a kind; `D->best`, `others->best`, ... by what they are to the best generator."""
    gate: str
    mean: float
    low: float
    high: float
    """95 % interval of what is believed."""

    @property
    def told_apart(self) -> bool:
        """True if the interval leaves 0 out."""
        return self.low > 0.0 or self.high < 0.0


def marginal_effects(model: GraphModel, *, draws: int = DRAWS, seed: int = 0) -> list[Effect]:
    """Every class of edges with every gate: first the edges' kinds, then what they are to the best generator.

    Over all assignments of a listed space, else over `SAMPLED` random ones. Which generator of a graph is its best is
    decided in every draw anew. The intervals are the mean of `draws` joint draws and 1.96 of their deviations.
    """
    space = model.space
    random = np.random.default_rng(seed)
    if space.listed:
        codes, labellings = _distinct(space)
        places = space.places(space.views(codes))
        looks = _looks(space, codes)
        found = _stacked(looks, labellings, (model.drawn(random)[places] for _ in range(draws)))
    else:
        codes = random.integers(len(space.gates), size=(SAMPLED, len(space.roster.edges))).astype(np.int8)
        drawn = model.score_draws([space.decode(row) for row in codes], draws, seed)
        looks = _looks(space, codes)
        found = _stacked(looks, np.ones(len(codes)), drawn)
    names = [(edges, gate.name) for look in looks for edges in look.names for gate in space.gates]
    return [
        Effect(edges, gate, float(mean), float(mean - NORMAL_95 * sd), float(mean + NORMAL_95 * sd))
        for (edges, gate), mean, sd in zip(names, found.mean(axis=0), found.std(axis=0, ddof=1), strict=True)
    ]


def _distinct(space: Space) -> tuple[Codes, Floats]:
    """[M, E] and [M]: each distinct graph of a listed space, and in how many assignments it stands."""
    codes = space.assignments
    first, times = np.unique(space.keys(codes), return_counts=True)  # a key is the place of the canonical form
    return codes[first], times.astype(np.float64)


@dataclass(frozen=True)
class _Look:
    """One way to sort a graph's edges into classes."""

    names: Sequence[str]
    counts: tuple[NDArray[np.float32], ...]
    """[Q, A]: edges of each class with each gate in every assignment; once, or as each of the k generators sees it."""


def _looks(space: Space, codes: Codes) -> list[_Look]:
    kinds = [KIND_WORDS[kind] for kind in EdgeKind if any(edge.kind is kind for edge in space.roster.edges)]
    looks = [_Look(kinds, (_counts(space, codes, space.kinds),))]
    if space.roster.generators > 1:
        views = (_counts(space, codes[:, root], space.classes) for root in space.roots)
        looks.append(_Look(_rooted_words(space), tuple(views)))
    return looks


def _counts(space: Space, codes: Codes, classes: NDArray[np.int64]) -> NDArray[np.float32]:
    rows = [
        (codes[:, classes == number] == code).sum(axis=1)
        for number in range(classes.max() + 1)
        for code in range(len(space.gates))
    ]
    return np.array(rows, dtype=np.float32)


def _stacked(looks: Sequence[_Look], labellings: Floats, drawn: Iterable[Floats]) -> Floats:
    return np.stack([_effects(looks, labellings, scores) for scores in drawn])


def _effects(looks: Sequence[_Look], labellings: Floats, scores: Floats) -> Floats:
    """[Q]: of graphs that stand in so many assignments [A], with scores [A, k] without noise."""
    values = scores.max(axis=1)
    best = scores == values[:, None]
    share = best / best.sum(axis=1)[:, None]  # equals are the best generator in equal parts, whatever their names
    mean = np.average(values, weights=labellings)
    away = labellings * (values - mean)
    found = []
    for look in looks:
        total, count = np.zeros(len(look.counts[0])), np.zeros(len(look.counts[0]))
        for root, counts in enumerate(look.counts):
            seen = np.ones(len(values)) if len(look.counts) == 1 else share[:, root]
            total += counts @ (seen * away).astype(np.float32)
            count += counts @ (seen * labellings).astype(np.float32)
        # A class whose edges never carry the gate in this draw says nothing.
        found.append(np.divide(total, count, out=np.zeros_like(total), where=count > 0))
    return np.concatenate(found)


def _rooted_words(space: Space) -> list[str]:
    """The names of the classes that the roster has: two generators have no edges among the others."""
    there = [True, True, True, True, space.roster.generators > 2, space.roster.discriminators > 1]
    return [word for word, is_there in zip(ROOTED_WORDS, there, strict=True) if is_there]
