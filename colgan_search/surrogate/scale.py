"""Scores on the model's scale: without the depth of failures, with mean 0 and deviation 1."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.look import Floats

BELOW = 4.0
"""Of normal scores of three generators hardly any lies so far below."""


def standardised(scores: Floats) -> tuple[Floats, float, float]:
    """Scores above a floor with mean 0 and deviation 1, and what these were."""
    table = floored(scores)
    centre, spread = float(table.mean()), float(table.std())
    spread = spread if spread > 1e-9 * max(abs(centre), 1.0) else 1.0
    return (table - centre) / spread, centre, spread


def floored(scores: NDArray[np.float64]) -> Floats:
    """Scores [N, k] with a floor: as far below the median training's best score as four times the distance from it to
    the 90 % point of these.

    A training that diverged, or a generator that learns nothing, is bad; how bad tells nothing about good graphs.
    The best scores tell, not all: in good graphs as well most generators may learn nothing. Where more than half of
    them are the very lowest (most trainings diverged), median and 90 % point are those of the others.
    """
    best = scores.max(axis=1)
    middle, high = np.quantile(best, (0.5, 0.9))
    healthy = best[best > best.min()]
    if middle == best.min() and len(healthy):
        middle, high = np.quantile(healthy, (0.5, 0.9))
    return np.maximum(scores, middle - BELOW * (high - middle)) if high > middle else scores
