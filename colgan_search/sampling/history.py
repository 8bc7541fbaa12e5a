"""What the model has to know of a study: graphs with scores, and graphs that are taken."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.views import Codes, Space


@dataclass(frozen=True)
class Seen:
    """Of a study, in the order of its trials' numbers. Codes are those of any labels."""

    space: Space
    codes: Codes
    """[N, E]: graphs that were trained."""
    scores: NDArray[np.float64]
    """[N, k]: their generators' scores, larger is better."""
    running: Codes
    """[P, E]: graphs that are being trained."""
    lost: Codes
    """[Q, E]: graphs whose trainings ended without scores."""

    @cached_property
    def keys(self) -> NDArray[np.int64]:
        """[N], equal for relabelled graphs."""
        return self.space.keys(self.codes)

    @cached_property
    def running_keys(self) -> NDArray[np.int64]:
        """[P]."""
        return self.space.keys(self.running)

    @cached_property
    def taken(self) -> NDArray[np.int64]:
        """Keys of all graphs that were tried, sorted, each once."""
        return np.unique(np.concatenate([self.keys, self.running_keys, self.space.keys(self.lost)]))

    @property
    def repeats(self) -> int:
        """How many trials were of a graph that an earlier one had tried."""
        tried = np.concatenate([self.keys, self.running_keys])
        return len(tried) - len(np.unique(tried))
