"""Whether lists of scores can be told apart: differences with their 95 % intervals, by SciPy."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
RESAMPLES = 4_000
"""Of the bootstrap; its generator is seeded, so that a report printed twice says the same."""


class Verdict(str, Enum):
    """The answer to a claim. Only the first three are measured."""

    YES = "yes"
    NO = "no"
    UNDECIDED = "not to be told apart"
    NOT_RUN = "not run"
    INCOMPARABLE = "not comparable"


@dataclass(frozen=True)
class Difference:
    """An estimated difference and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def of_means(ours: Sequence[float], against: Sequence[float]) -> Difference:
    """mean(ours) - mean(against) with Welch's t interval. ValueError with fewer than 2 numbers on either side."""
    _enough(ours, against)
    value = float(np.mean(ours) - np.mean(against))
    if len(set(ours)) == len(set(against)) == 1:  # no spread at all: Welch's t has none either
        return Difference(value, value, value)
    with warnings.catch_warnings():
        # One side may be constant, e.g. 1.0 where every training diverged: SciPy warns of that, and is right.
        warnings.filterwarnings("ignore", "Precision loss", RuntimeWarning)
        interval = stats.ttest_ind(ours, against, equal_var=False).confidence_interval(CONFIDENCE)
    return Difference(value, float(interval.low), float(interval.high))


def within_pairs(ours: Sequence[float], against: Sequence[float]) -> Difference:
    """Mean of the differences ours[i] - against[i] with its t interval, for two numbers of each training.

    ValueError with fewer than 2 pairs, or with lists of unequal length.
    """
    _enough(ours, against)
    differences = [first - second for first, second in zip(ours, against, strict=True)]
    value = float(np.mean(differences))
    if len(set(differences)) == 1:
        return Difference(value, value, value)
    interval = stats.ttest_1samp(differences, 0.0).confidence_interval(CONFIDENCE)
    return Difference(value, float(interval.low), float(interval.high))


def of_medians(ours: Sequence[float], against: Sequence[float]) -> Difference:
    """median(ours) - median(against) with a percentile bootstrap interval."""
    return _bootstrapped(np.median, ours, against)


def of_spreads(ours: Sequence[float], against: Sequence[float]) -> Difference:
    """Interquartile range of ours minus that of against, with a percentile bootstrap interval."""
    return _bootstrapped(stats.iqr, ours, against)


def is_above(difference: Difference) -> Verdict:
    """Yes if the whole interval lies above 0, no if below it."""
    if difference.low > 0:
        return Verdict.YES
    return Verdict.NO if difference.high < 0 else Verdict.UNDECIDED


def is_below(difference: Difference) -> Verdict:
    """Yes if the whole interval lies below 0, no if above it."""
    if difference.high < 0:
        return Verdict.YES
    return Verdict.NO if difference.low > 0 else Verdict.UNDECIDED


def is_close(difference: Difference, margin: float) -> Verdict:
    """Yes if the whole interval lies within -margin..margin, no if it lies wholly outside."""
    if -margin <= difference.low and difference.high <= margin:
        return Verdict.YES
    return Verdict.NO if difference.low > margin or difference.high < -margin else Verdict.UNDECIDED


def _bootstrapped(statistic: Callable[..., Any], ours: Sequence[float], against: Sequence[float]) -> Difference:
    _enough(ours, against)
    value = float(statistic(np.asarray(ours)) - statistic(np.asarray(against)))
    found = stats.bootstrap(
        (ours, against),
        lambda first, second, axis: statistic(first, axis=axis) - statistic(second, axis=axis),
        n_resamples=RESAMPLES,
        batch=500,  # 1,500 trials a search: all resamples at once would take 0.2 GB
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    return Difference(value, float(found.low), float(found.high))


def _enough(ours: Sequence[float], against: Sequence[float]) -> None:
    if min(len(ours), len(against)) < 2:
        raise ValueError(f"{len(ours)} and {len(against)} numbers: a difference needs at least 2 of each")
