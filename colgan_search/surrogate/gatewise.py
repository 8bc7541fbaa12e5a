"""Views seen gate by gate: as their root sees them, or as whole graphs that have none.

Two views are alike by the product over their edges of rho_c for each edge on which they differ, and of another factor
where one of the two is cut off there, c being the edge's class; averaged over the relabellings that do not count.
"""

from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.look import Floats, Look, OnGrid
from colgan_search.surrogate.views import Codes

SIDE = 64
"""Edges are taken together as long as their matrices' product has at most so many rows: few passes, little work."""


class Gatewise(Look):
    """`decay` [C * T]: class by class of edges, each with all contrasts, -log of what the covariance is times."""

    scale_belief = (0.0, 1.5)
    decay_belief = (float(np.log(0.05)), 1.5)

    @property
    def moves(self) -> NDArray[np.int64]:
        """[S, E]: the relabellings."""
        return self.space.symmetries if self.rooted else self.space.relabellings[0]

    @property
    def classes(self) -> NDArray[np.int64]:
        """[E]."""
        return self.space.classes if self.rooted else self.space.kinds

    @property
    def decays(self) -> int:
        """C * T."""
        return (int(self.classes.max()) + 1) * len(self.contrasts)

    def apart(self, decay: Floats) -> Floats:
        """[E, G, G]: -log of what each pair of gates multiplies the covariance by, on each edge."""
        of_class = np.tensordot(np.asarray(decay).reshape(-1, len(self.contrasts)), self.contrasts, 1)
        return np.asarray(of_class[self.classes])

    def differences(self, codes: Codes) -> NDArray[np.float32]:
        """[S, C * T, N, N]: on how many edges of each class views [N, E] differ, by each contrast."""
        contrasts = self.contrasts.astype(np.float32)
        found = [
            contrast[codes[:, edges]].reshape(len(codes), -1) @ one_hot(codes[:, move][:, edges], len(contrast)).T
            for move in self.moves
            for edges in (self.classes == c for c in range(self.classes.max() + 1))
            for contrast in contrasts
        ]
        return np.array(found, dtype=np.float32).reshape(len(self.moves), -1, len(codes), len(codes))

    def covariance(self, decay: Floats, a: Codes, b: Codes) -> Floats:
        """[N, M]."""
        scale = np.sqrt(self.own(decay, a))[:, None] * np.sqrt(self.own(decay, b))[None]
        return np.asarray(self._raw(decay, a, b) / scale)

    def own(self, decay: Floats, a: Codes) -> Floats:
        """[N]: of each view with itself, before it is scaled."""
        apart = self.apart(decay)
        edges = np.arange(len(apart))
        return np.asarray(sum(np.exp(-apart[edges, a, a[:, move]].sum(axis=1)) for move in self.moves))

    def listed_own(self, decay: Floats) -> Floats:
        """[A]: `own` of every assignment of a listed space."""
        numbers = np.asarray(decay, dtype=np.float32)
        return np.asarray(sum(np.exp(-numbers @ apart) for apart in self._from_itself), dtype=np.float64)

    @cached_property
    def _from_itself(self) -> list[NDArray[np.float32]]:
        """For each relabelling, [C * T, A]: on how many edges of each class an assignment differs from itself."""
        codes, classes = self.space.assignments, self.classes
        return [
            np.array(
                [
                    sum(contrast[codes[:, edge], codes[:, move[edge]]] for edge in np.flatnonzero(classes == c))
                    for c in range(classes.max() + 1)
                    for contrast in self.contrasts.astype(np.float32)
                ],
                dtype=np.float32,
            )
            for move in self.moves
        ]

    def _raw(self, decay: Floats, a: Codes, b: Codes) -> NDArray[np.float32]:
        apart = self.apart(decay).astype(np.float32)
        left = -apart[np.arange(len(apart)), a].reshape(len(a), -1)
        total = np.zeros((len(a), len(b)), dtype=np.float32)
        for move in self.moves:
            part = left @ one_hot(b[:, move], len(self.space.gates)).T
            total += np.exp(part, out=part)
        return total

    def grid(self, decay: Floats) -> OnGrid:
        """Of a listed space."""
        return _Grid(self, decay)


class View(Gatewise):
    """The graph as its root sees it; classes are what an edge is to the root."""

    name, rooted = "view", True
    words = "every gate, by what its edge is to the generator"


class Whole(Gatewise):
    """Whoever is the root; classes are the edges' kinds."""

    name, rooted = "whole", False
    words = "every gate of the whole graph"


def one_hot(codes: Codes, gates: int) -> NDArray[np.float32]:
    """[N, E * gates]."""
    hot: NDArray[np.float32] = (codes[:, :, None] == np.arange(gates, dtype=np.int8)).astype(np.float32)
    return hot.reshape(len(codes), -1)


class _Grid:
    """Before it is averaged over relabellings, the covariance of two assignments is a product over edges.

    The covariances of all assignments are then a Kronecker product of one small matrix for each edge, and a product
    with it, or with its root, takes one pass for every few edges.
    """

    def __init__(self, look: Gatewise, decay: Floats) -> None:
        self.look, self.space = look, look.space
        gates = len(self.space.gates)
        kernels = np.exp(-look.apart(decay))  # [E, G, G]
        values, vectors = np.linalg.eigh(kernels)
        roots = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ vectors.swapaxes(1, 2)
        edges = len(look.classes)
        together = max(int(np.log(SIDE) / np.log(gates) + 1e-9), 1)
        groups = [slice(start, start + together) for start in range(0, edges, together)]
        self._kernels, self._roots = ([reduce(np.kron, each[group]) for group in groups] for each in (kernels, roots))
        codes = self.space.assignments
        self._moved = [self.space.places(codes[:, move]) for move in look.moves]
        self._scale = 1.0 / np.sqrt(look.listed_own(decay))

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """See `OnGrid`."""
        places = self.space.places(views)
        heap = np.zeros(len(self._scale))
        for move in self.look.moves:
            np.add.at(heap, self.space.places(views[:, move]), weights * self._scale[places])
        return _times(heap, self._kernels) * self._scale

    def draw(self, random: np.random.Generator) -> Floats:
        """See `OnGrid`."""
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
