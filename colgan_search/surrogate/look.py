"""What a kernel sees of a view: its gates edge by edge, or only how many there are of each (`looks` has the list).

The covariance of two views by a look is a sum of exp(-decay . differences), over relabellings or pairs, scaled so that
every view has the same variance: the more often two views differ, the less they have in common.
"""

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF
from colgan_search.surrogate.views import Codes, Space

Floats = NDArray[np.float64]


class OnGrid(Protocol):
    """One look at every assignment of a listed space (A of them), with one value of `decay`."""

    def spread(self, views: Codes, weights: Floats) -> Floats:
        """[A]: the covariances of every assignment with views [N, E], times their weights [N]."""

    def draw(self, random: np.random.Generator) -> Floats:
        """[A]: the function on every assignment, drawn before there is data."""


class Look(ABC):
    """One way to see a view. Make it with `looks.look_of`, which keeps it."""

    name: str
    words: str
    rooted: bool
    """False: all views of a graph look the same."""
    scale_belief: tuple[float, float]
    """Logarithm of the variance of the function of what is seen, in that of the scores, and its deviation, as thought
    before there is data."""
    decay_belief: tuple[float, float]
    """The same of each number of `decay`."""

    def __init__(self, space: Space) -> None:
        self.space = space

    @classmethod
    def sees(cls, space: Space) -> bool:
        """False where it says nothing that another look does not say."""
        return True

    @property
    def contrasts(self) -> Floats:
        """[T, G, G] of 0 and 1: where two gates differ; and where one of them is cutoff, if others differ as well."""
        gates = self.space.gates
        differ = 1.0 - np.eye(len(gates))
        cut = np.array([gate is CUTOFF for gate in gates])
        apart = cut[:, None] != cut[None]
        return np.array([differ, apart] if 0 < cut.sum() < len(gates) - 1 else [differ])

    @property
    @abstractmethod
    def decays(self) -> int:
        """C: how many numbers `decay` is."""

    @abstractmethod
    def differences(self, codes: Codes) -> NDArray[np.float32]:
        """[S, C, N, N]: how much views [N, E] differ from relabelled ones."""

    @abstractmethod
    def covariance(self, decay: Floats, a: Codes, b: Codes) -> Floats:
        """[N, M] of views [N, E] and [M, E]."""

    @abstractmethod
    def grid(self, decay: Floats) -> OnGrid:
        """Of a listed space."""
