"""Views seen as nothing but themselves: what a graph has of its own, that no other graph shows.

Two views are alike if they are the same, whatever the other nodes are called, and not otherwise. Replicates tell it
from the noise.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.look import Floats, Look, OnGrid
from colgan_search.surrogate.views import Codes

APART = 1e4
"""How much different views differ: nothing of the covariance is left, whatever `decay` is."""


class Itself(Look):
    """`decay` is one number that changes nothing: views are the same or not."""

    name, rooted = "itself", True
    words = "what this graph has of its own"
    # As on the shipped tables: what is left of left-out graphs' scores, beyond what the model says, that two trainings
    # of one graph have in common. Single trainings tell nothing of it, so this is believed firmly.
    scale_belief = (float(np.log(0.03)), 0.7)
    decay_belief = (0.0, 1.0)

    @property
    def decays(self) -> int:
        """1."""
        return 1

    def keys(self, codes: Codes) -> NDArray[np.int64]:
        """[N]: a number that is equal exactly for views [N, E] that are the same."""
        return np.asarray(np.min([self.space.places(codes[:, move]) for move in self.space.symmetries], axis=0))

    def differences(self, codes: Codes) -> NDArray[np.float32]:
        """[1, 1, N, N]."""
        return (APART * (1.0 - self.covariance(np.ones(1), codes, codes)))[None, None].astype(np.float32)

    def covariance(self, decay: Floats, a: Codes, b: Codes) -> Floats:
        """[N, M] of 0 and 1."""
        return np.asarray(self.keys(a)[:, None] == self.keys(b)[None], dtype=np.float64)

    @cached_property
    def listed(self) -> tuple[int, NDArray[np.int64]]:
        """How many different views a listed space has, and which of them each assignment is [A]."""
        found, which = np.unique(self.keys(self.space.assignments), return_inverse=True)
        return len(found), which.reshape(-1)

    def grid(self, decay: Floats) -> OnGrid:
        """Of a listed space."""
        return _Grid(self)


class _Grid:
    """Every view has a value of its own."""

    def __init__(self, look: Itself) -> None:
        self._space = look.space
        self._number, self._which = look.listed

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """See `OnGrid`."""
        heap = np.bincount(self._which[self._space.places(views)], weights, minlength=self._number)
        return np.asarray(heap[self._which])

    def draw(self, random: np.random.Generator) -> Floats:
        """See `OnGrid`."""
        return np.asarray(random.standard_normal(self._number)[self._which])
