"""Views seen teacher by teacher: what each other generator brings to the root adds up.

Two teachers, each in its view, are alike by the product over four gates (of the discriminator's edge into the root, of
its edge into the teacher, and of the edges between the two, there and back) of factors as in `gatewise`; two views by
the sum over their pairs of teachers, scaled.
"""

from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.gatewise import one_hot
from colgan_search.surrogate.look import Floats, Look, OnGrid
from colgan_search.surrogate.views import Codes, Space

GATES_OF_A_TEACHER = 4


class Teachers(Look):
    """`decay` [4 * T]: gate by gate of a teacher, each with all contrasts."""

    name, rooted = "teachers", True
    words = "what each other generator brings, added up"
    scale_belief = (0.0, 1.5)
    decay_belief = (float(np.log(0.05)), 1.5)

    @classmethod
    def sees(cls, space: Space) -> bool:
        """With one teacher it is the view itself; several discriminators are not told apart from each other here."""
        return space.roster.generators > 2 and space.roster.discriminators == 1

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """[k - 1, 4]: the places of each teacher's edges."""
        roster = self.space.roster
        root, *others = (node.name for node in roster.generator_nodes)
        return np.array(
            [
                [roster.place(roster.edge(*ends)) for ends in (("D", root), ("D", one), (one, root), (root, one))]
                for one in others
            ]
        )

    @property
    def decays(self) -> int:
        """4 * T."""
        return GATES_OF_A_TEACHER * len(self.contrasts)

    def apart(self, decay: Floats) -> Floats:
        """[4, G, G]: -log of what each pair of gates multiplies the covariance by."""
        return np.asarray(np.tensordot(np.asarray(decay).reshape(-1, len(self.contrasts)), self.contrasts, 1))

    def differences(self, codes: Codes) -> NDArray[np.float32]:
        """[(k - 1)^2, 4 * T, N, N]."""
        gates, contrasts = len(self.space.gates), self.contrasts.astype(np.float32)
        found = [
            contrast[codes[:, edge]] @ one_hot(codes[:, [other]], gates).T
            for one in self.edges
            for another in self.edges
            for edge, other in zip(one, another, strict=True)
            for contrast in contrasts
        ]
        return np.array(found, dtype=np.float32).reshape(len(self.edges) ** 2, -1, len(codes), len(codes))

    def covariance(self, decay: Floats, a: Codes, b: Codes) -> Floats:
        """[N, M]."""
        scale = np.sqrt(self.own(decay, a))[:, None] * np.sqrt(self.own(decay, b))[None]
        apart, gates = self.apart(decay).astype(np.float32), len(self.space.gates)
        total = np.zeros((len(a), len(b)), dtype=np.float32)
        for one in self.edges:
            left = -apart[np.arange(GATES_OF_A_TEACHER), a[:, one]].reshape(len(a), -1)
            for another in self.edges:
                part = left @ one_hot(b[:, another], gates).T
                total += np.exp(part, out=part)
        return np.asarray(total / scale)

    def own(self, decay: Floats, a: Codes) -> Floats:
        """[N]: of each view with itself, before it is scaled."""
        apart, which = self.apart(decay), np.arange(GATES_OF_A_TEACHER)
        pairs = ((one, another) for one in self.edges for another in self.edges)
        return np.asarray(sum(np.exp(-apart[which, a[:, x], a[:, y]].sum(axis=1)) for x, y in pairs))

    def places(self, codes: Codes) -> NDArray[np.int64]:
        """[k - 1, N]: the number, from 0, of each teacher's four gates among all that there may be."""
        worth = len(self.space.gates) ** np.arange(GATES_OF_A_TEACHER - 1, -1, -1)
        return np.array([codes[:, one].astype(np.int64) @ worth for one in self.edges])

    @cached_property
    def listed(self) -> NDArray[np.int64]:
        """[k - 1, A]: `places` of every assignment of a listed space."""
        return self.places(self.space.assignments)

    def grid(self, decay: Floats) -> OnGrid:
        """Of a listed space."""
        return _Grid(self, decay)


class _Grid:
    """A teacher's four gates have few values, of which each assignment has k - 1."""

    def __init__(self, look: Teachers, decay: Floats) -> None:
        self.look, self.space = look, look.space
        kernels = np.exp(-look.apart(decay))
        values, vectors = np.linalg.eigh(kernels)
        roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None]
        self._kernel, self._root = reduce(np.kron, kernels), reduce(np.kron, roots)
        self._teachers = look.listed  # [k - 1, A]
        self._scale = 1.0 / np.sqrt(sum(self._kernel[one, other] for one in self._teachers for other in self._teachers))

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """See `OnGrid`."""
        heap = np.zeros(len(self._kernel))
        scaled = weights * self._scale[self.space.places(views)]
        for places in self.look.places(views):
            np.add.at(heap, places, scaled)
        return self._added_up(self._kernel @ heap)

    def draw(self, random: np.random.Generator) -> Floats:
        """See `OnGrid`."""
        return self._added_up(self._root @ random.standard_normal(len(self._root)))

    def _added_up(self, of_teacher: Floats) -> Floats:
        return np.asarray(sum(of_teacher[places] for places in self._teachers) * self._scale)
