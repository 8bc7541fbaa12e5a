"""The process on every assignment of a listed space at once.

Before it is averaged over relabellings, the covariance of two assignments is a product over edges. The covariances of
all assignments are then a Kronecker product of one small matrix for each edge, (1 - rho) I + rho 1 1^T, and a product
with it, or with its root, takes one pass per edge.
"""

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.kernel import Floats, Look, own_covariance
from colgan_search.surrogate.views import Codes


class Grid:
    """A listed space with one value of `decay` [C]. A is the number of its assignments."""

    def __init__(self, look: Look, decay: Floats) -> None:
        self.look, self.space = look, look.space
        self.rho = np.exp(-np.asarray(decay))[look.classes]
        edges = len(look.classes)
        codes = np.indices([look.gates] * edges, dtype=np.int8).reshape(edges, -1).T
        self._moved = [self.space.places(codes[:, move]) for move in look.moves]
        self._scale = 1.0 / np.sqrt(own_covariance(look, decay, codes))

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """[A]: the covariances of every assignment with views [N, E], times their weights [N]."""
        places = self.space.places(views)
        heap = np.zeros(len(self._scale))
        for move in self.look.moves:
            np.add.at(heap, self.space.places(views[:, move]), weights * self._scale[places])
        return self._times(heap, np.ones_like(self.rho) - self.rho, self.rho) * self._scale

    def draw(self, random: np.random.Generator) -> Floats:
        """[A]: the function on every assignment, drawn before there is data."""
        gates = self.look.gates
        alone = np.sqrt(1.0 - self.rho)
        together = (np.sqrt(1.0 + (gates - 1) * self.rho) - alone) / gates
        raw = self._times(random.standard_normal(len(self._scale)), alone, together)
        total = sum(raw[places] for places in self._moved)
        return np.asarray(total * self._scale / np.sqrt(len(self._moved)))

    def _times(self, values: Floats, alone: Floats, together: Floats) -> Floats:
        """The Kronecker product of (alone_e I + together_e 1 1^T) times `values`."""
        cube: NDArray[np.float64] = values
        gates = self.look.gates
        for a, t in zip(alone, together, strict=True):
            # Each pass takes the first axis to the end: after all of them every axis is in its place again.
            cube = cube.reshape(gates, -1)
            cube = np.ascontiguousarray((a * cube + t * cube.sum(axis=0)).T).reshape(-1)
        return cube
