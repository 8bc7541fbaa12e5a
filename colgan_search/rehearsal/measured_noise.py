"""The noise of a table's trainings, shared by graphs in which as many generators learn.

A graph in which a generator learnt in one training and not in another lends none, and gives its own trainings again.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from colgan_search.graph import KnowledgeTransferGraph

WAYS = 24
"""Of more ways to give a noise to the generators so many are looked at."""

Scores = NDArray[np.float64]
"""[M, k]: moments and generators."""


@dataclass(frozen=True)
class _Mean:
    scores: Scores
    order: NDArray[np.int64]
    """[k]: the generators, those that learn first."""
    learning: int


class Noises:
    """Of graphs with their trainings, none of which diverged; a generator learns that ends at a level or above."""

    def __init__(self, trainings: Mapping[KnowledgeTransferGraph, Sequence[Scores]], level: float) -> None:
        self._means: dict[KnowledgeTransferGraph, _Mean] = {}
        self._own: dict[KnowledgeTransferGraph, Sequence[Scores]] = {}
        of: dict[int, list[Scores]] = defaultdict(list)
        for graph, whole in trainings.items():
            if not whole:
                continue
            mean = np.mean(whole, axis=0)
            learns = mean[-1] >= level
            if not all(((one[-1] >= level) == learns).all() for one in whole):
                self._own[graph] = whole
                continue
            found = _Mean(mean, np.argsort(~learns, kind="stable"), int(learns.sum()))
            self._means[graph] = found
            if len(whole) > 1:  # away from their own mean they are too near
                scale = np.sqrt(len(whole) / (len(whole) - 1))
                of[found.learning] += [(one - mean)[:, found.order] * scale for one in whole]
        self._noise = {number: np.array(noises) for number, noises in of.items()}
        """Number of generators that learn -> [n, M, k], these first."""
        for graph in self._means:
            self._lift(graph, float(np.mean([one[-1].max() for one in trainings[graph]])))

    def scores(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Scores:
        """Of one more training; the graph's mean where no graph like it was trained twice. KeyError for others."""
        if graph in self._own:
            return self._own[graph][int(rng.integers(len(self._own[graph])))]
        mean = self._means[graph]
        noises = self._noise.get(mean.learning)
        if noises is None:
            return mean.scores
        return _with(mean, noises[int(rng.integers(len(noises)))], rng)

    def _lift(self, graph: KnowledgeTransferGraph, value: float) -> None:
        """The means of the generators that learn, so that the mean value of drawn trainings is `value`.

        Without it, it would be too high: the best of several is the best by what their means are wrong, too.
        """
        mean = self._means[graph]
        noises = self._noise.get(mean.learning, np.zeros((1, *mean.scores.shape)))[:, -1]
        drawn = [mean.scores[-1, mean.order] + noises[:, among] for among in _all_ways(mean)]
        learning = mean.order[: mean.learning or len(mean.order)]
        lifted = mean.scores.copy()
        lifted[:, learning] += value - float(np.mean([scores.max(axis=1) for scores in drawn]))
        self._means[graph] = _Mean(lifted, mean.order, mean.learning)


def _with(mean: _Mean, noise: Scores, rng: np.random.Generator) -> Scores:
    """[M, k]: the noise among the generators that learn, and among the others, by a draw."""
    scores: Scores = mean.scores.copy()
    scores[:, mean.order] += noise[:, _one_way(mean, rng)]
    return scores


def _one_way(mean: _Mean, rng: np.random.Generator) -> NDArray[np.int64]:
    """[k]: whose noise each has, first those that learn."""
    k = len(mean.order)
    return np.concatenate([rng.permutation(mean.learning), rng.permutation(np.arange(mean.learning, k))])


def _all_ways(mean: _Mean) -> list[NDArray[np.int64]]:
    """Every `_one_way`, or some of them where they are many."""
    k = len(mean.order)
    if math.factorial(mean.learning) * math.factorial(k - mean.learning) > WAYS:
        rng = np.random.default_rng(0)
        return [_one_way(mean, rng) for _ in range(WAYS)]
    first, others = permutations(range(mean.learning)), list(permutations(range(mean.learning, k)))
    return [np.array([*one, *other], dtype=np.int64) for one in first for other in others]
