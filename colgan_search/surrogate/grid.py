"""The process on every assignment of a listed space at once.

Before it is averaged over relabellings, the covariance of two assignments is a product over edges. The covariances of
all assignments are then a Kronecker product of one small matrix for each edge, and a product with it, or with its root,
takes one pass for every few edges.
"""

from functools import reduce

import numpy as np

from colgan_search.surrogate.kernel import Floats, Look, own_covariance
from colgan_search.surrogate.views import Codes

SIDE = 64
"""Edges are taken together as long as their matrices' product has at most so many rows: few passes, little work."""


class Grid:
    """A listed space with one value of `decay` [C * T]. A is the number of its assignments."""

    def __init__(self, look: Look, decay: Floats) -> None:
        self.look, self.space = look, look.space
        kernels = np.exp(-look.apart(decay))  # [E, G, G]
        values, vectors = np.linalg.eigh(kernels)
        roots = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ vectors.swapaxes(1, 2)
        edges = len(look.classes)
        together = max(int(np.log(SIDE) / np.log(look.gates) + 1e-9), 1)
        groups = [slice(start, start + together) for start in range(0, edges, together)]
        self._kernels, self._roots = ([reduce(np.kron, each[group]) for group in groups] for each in (kernels, roots))
        codes = np.indices([look.gates] * edges, dtype=np.int8).reshape(edges, -1).T
        self._moved = [self.space.places(codes[:, move]) for move in look.moves]
        self._scale = 1.0 / np.sqrt(own_covariance(look, decay, codes))

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """[A]: the covariances of every assignment with views [N, E], times their weights [N]."""
        places = self.space.places(views)
        heap = np.zeros(len(self._scale))
        for move in self.look.moves:
            np.add.at(heap, self.space.places(views[:, move]), weights * self._scale[places])
        return _times(heap, self._kernels) * self._scale

    def draw(self, random: np.random.Generator) -> Floats:
        """[A]: the function on every assignment, drawn before there is data."""
        raw = _times(random.standard_normal(len(self._scale)), self._roots)
        total = sum(raw[places] for places in self._moved)
        return np.asarray(total * self._scale / np.sqrt(len(self._moved)))


def _times(values: Floats, matrices: list[Floats]) -> Floats:
    """The Kronecker product of symmetric matrices times `values` [A]."""
    cube = values
    for matrix in matrices:
        # Each pass takes the first axis to the end: after all of them every axis is in its place again.
        cube = (cube.reshape(len(matrix), -1).T @ matrix).reshape(-1)
    return cube
