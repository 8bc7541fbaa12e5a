"""What a family of synthetic functions is."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import Gate
from colgan_search.roster import Roster

Means = Callable[[NDArray[np.int8]], NDArray[np.float64]]
"""[N, E] gates by their places -> [N, k]: each generator's true mean. Relabelling a graph relabels its row."""


class Family(ABC):
    """Functions of one kind. Their scale means nothing: `synthetic` brings each to the same mean and spread."""

    name: ClassVar[str]
    words: ClassVar[str]
    """What decides a graph's value, in one line."""
    shared: ClassVar[float] = 0.0
    """Share of the noise's variance that all generators of one training have in common, 0..1."""

    @abstractmethod
    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """One function of the family. GraphError for a roster that it does not know."""
