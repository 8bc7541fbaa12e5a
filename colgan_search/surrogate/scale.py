"""Scores on the model's scale: without the depth of failures, with mean 0 and deviation 1."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.surrogate.look import Floats


def standardised(scores: Floats) -> tuple[Floats, float, float]:
    """Scores above a floor with mean 0 and deviation 1, and what these were."""
    table = floored(scores)
    centre, spread = float(table.mean()), float(table.std())
    spread = spread if spread > 1e-9 * max(abs(centre), 1.0) else 1.0
    return (table - centre) / spread, centre, spread


def floored(scores: NDArray[np.float64]) -> Floats:
    """Scores [N, k] with a floor: as far below the median as twice the distance from it to the 90 % point.

    A training that diverged, or a generator that learns nothing, is bad; how bad tells nothing about good graphs.
    Where more than half are the very lowest (most trainings diverged), median and 90 % point are those of the others.
    """
    middle, high = np.quantile(scores, (0.5, 0.9))
    healthy = scores[scores > scores.min()]
    if middle == scores.min() and len(healthy):
        middle, high = np.quantile(healthy, (0.5, 0.9))
    return np.maximum(scores, middle - 2.0 * (high - middle)) if high > middle else scores
