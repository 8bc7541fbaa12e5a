"""What a graph is worth: the mean value of its trainings, a training's value being its best generator's score.

That is more than its best generator's mean: of generators that are alike, one is always lucky with its seed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

REACH = 9.0
"""Deviations around the best generator's mean that are integrated over."""
NODES = 80
AT_ONCE = 1 << 14
"""Graphs that are in memory together."""


def expected_maximum(
    means: ArrayLike,
    sd: float,
    distribution: Callable[[Floats], Floats] = ndtr,
    reach: float = REACH,
    nodes: int = NODES,
) -> Floats:
    """[N]: E max_i (m_i + sd * e_i) for means [N, k] and independent e_i of this distribution (its cumulative one).

    By Gauss and Legendre's rule: the maximum has the product of the k distributions as its own. A `distribution` with
    longer tails than the normal one needs more `reach` and `nodes`. ValueError for a negative sd.
    """
    table = np.asarray(means, dtype=np.float64)
    if sd < 0.0:
        raise ValueError(f"sd is {sd}; it is at least 0")
    top: Floats = table.max(axis=1)
    if sd == 0.0:
        return top
    at, weights = np.polynomial.legendre.leggauss(nodes)
    found = np.empty(len(table))
    for start in range(0, len(table), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        behind = (top[rows, None] - table[rows]) / sd  # [N, k]
        product = np.ones((len(behind), nodes))
        for column in behind.T:
            product *= distribution(reach * at + column[:, None])
        found[rows] = top[rows] + sd * reach * (1.0 - product @ weights)
    return found
