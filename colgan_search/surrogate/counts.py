"""Views seen by how many edges carry each gate, whichever edges these are.

Two views are alike by exp(-a * the edges that would have to change their gate - b * the difference of their numbers of
open edges): rough in the numbers, so that one edge too many may be a cliff.
"""

from abc import abstractmethod
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF
from colgan_search.surrogate.look import Floats, Look, OnGrid
from colgan_search.surrogate.views import Codes


class Counts(Look):
    """`decay` is a and b; without b where it would say the same as a."""

    # Seldom what decides: little of it until the data say otherwise, and then as much as they say.
    scale_belief = (float(np.log(0.03)), 2.0)
    decay_belief = (float(np.log(0.3)), 1.5)

    @property
    @abstractmethod
    def counted(self) -> NDArray[np.bool_]:
        """[E]: which edges of a view are counted."""

    @property
    def decays(self) -> int:
        """1 or 2."""
        return len(self.contrasts)

    def of(self, codes: Codes) -> NDArray[np.int64]:
        """[N, G]: the number of counted edges with each gate."""
        seen = codes[:, self.counted]
        return np.stack([(seen == gate).sum(axis=1) for gate in range(len(self.space.gates))], axis=1)

    def differences(self, codes: Codes) -> NDArray[np.float32]:
        """[1, C, N, N]."""
        counts = self.of(codes)
        return self._apart(counts, counts)[None].astype(np.float32)

    def covariance(self, decay: Floats, a: Codes, b: Codes) -> Floats:
        """[N, M]."""
        (ours, our), (theirs, their) = (_told_apart(self.of(codes)) for codes in (a, b))
        return self.among(decay, ours, theirs)[our][:, their]

    def among(self, decay: Floats, a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
        """[N, M] of counts [N, G] and [M, G]."""
        return np.asarray(np.exp(-np.tensordot(np.asarray(decay), self._apart(a, b), 1)))

    def _apart(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> Floats:
        away = np.abs(a[:, None] - b[None])
        changed = away.sum(axis=2) / 2.0
        cut = [number for number, gate in enumerate(self.space.gates) if gate is CUTOFF]
        return np.array([changed, away[:, :, cut].sum(axis=2)][: self.decays])

    @cached_property
    def listed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """[U, G] and [A]: all counts that a listed space has, and which of them each assignment has."""
        counts = self.of(self.space.assignments)
        most = counts.max() + 1
        _, first, which = np.unique(counts @ most ** np.arange(counts.shape[1]), return_index=True, return_inverse=True)
        return counts[first], which.reshape(-1)

    def grid(self, decay: Floats) -> OnGrid:
        """Of a listed space."""
        return _Grid(self, decay)


class Heard(Counts):
    """What the root hears, no matter from whom: the losses on the edges into it."""

    name, rooted = "heard", True
    words = "numbers of the gates on edges into the generator, no matter from whom"

    @property
    def counted(self) -> NDArray[np.bool_]:
        """[E]."""
        root = self.space.roster.generator_nodes[0]
        return np.array([edge.target == root for edge in self.space.roster.edges])


class Total(Counts):
    """How much is exchanged in the whole graph."""

    name, rooted = "total", False
    words = "numbers of the gates in the whole graph"

    @property
    def counted(self) -> NDArray[np.bool_]:
        """[E]."""
        return np.ones(len(self.space.roster.edges), dtype=bool)


def _told_apart(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The different rows [U, G] of counts [N, G], and which of them each row is [N]."""
    numbers = counts @ (counts.max(initial=0) + 1) ** np.arange(counts.shape[1])
    _, first, which = np.unique(numbers, return_index=True, return_inverse=True)
    return counts[first], which.reshape(-1)


class _Grid:
    """Of all assignments only few have different counts."""

    def __init__(self, look: Counts, decay: Floats) -> None:
        self.look = look
        self._kinds, self._which = look.listed
        self._decay = decay
        values, vectors = np.linalg.eigh(look.among(decay, self._kinds, self._kinds))
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """See `OnGrid`."""
        of_kind = self.look.among(self._decay, self._kinds, self.look.of(views)) @ weights
        return np.asarray(of_kind[self._which])

    def draw(self, random: np.random.Generator) -> Floats:
        """See `OnGrid`."""
        return np.asarray((self._root @ random.standard_normal(len(self._kinds)))[self._which])
