"""Differences with their intervals, against textbook formulas, and the verdicts that they give."""

import math

import numpy as np
import pytest
from scipy import stats

from colgan_search.evaluation import comparing
from colgan_search.evaluation.comparing import Difference, Verdict

OURS, AGAINST = [6.0, 6.2, 6.1, 6.4, 6.3], [5.7, 5.9, 5.8]


def test_welchs_interval_by_its_formula() -> None:
    """By hand: means 6.2 and 5.8, variances 0.025 and 0.01, so the standard error is sqrt(0.005 + 0.01 / 3)."""
    found = comparing.of_means(OURS, AGAINST)
    a, b = 0.025 / 5, 0.01 / 3
    freedom = (a + b) ** 2 / (a**2 / 4 + b**2 / 2)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(a + b)
    assert found.value == pytest.approx(0.4)
    assert (found.low, found.high) == (pytest.approx(0.4 - half), pytest.approx(0.4 + half))


def test_pairs_by_the_formula() -> None:
    """By hand: differences 0.1, 0.2, 0.3; mean 0.2, deviation 0.1; the t of 2 degrees of freedom is 4.303."""
    found = comparing.within_pairs([1.1, 2.2, 3.3], [1.0, 2.0, 3.0])
    half = 4.3026527 * 0.1 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2 - half, 0.2 + half))


def test_without_any_spread_the_interval_is_a_point() -> None:
    assert comparing.of_means([2.0, 2.0], [1.0, 1.0, 1.0]) == Difference(1.0, 1.0, 1.0)
    assert comparing.within_pairs([2.0, 3.0], [1.0, 2.0]) == Difference(1.0, 1.0, 1.0)


def test_medians_and_spreads_over_many() -> None:
    """Of two normal distributions: the true difference of medians is 0.5, that of quartile ranges 1.349 * (1 - 2)."""
    draw = np.random.default_rng(1)
    ours, against = draw.normal(0.5, 1.0, 1500).tolist(), draw.normal(0.0, 2.0, 1500).tolist()
    medians, spreads = comparing.of_medians(ours, against), comparing.of_spreads(ours, against)
    assert medians.value == pytest.approx(np.median(ours) - np.median(against))
    assert spreads.value == pytest.approx(stats.iqr(ours) - stats.iqr(against))
    assert medians.low < 0.5 < medians.high and medians.high - medians.low < 0.4
    assert spreads.low < -1.349 < spreads.high and spreads.high - spreads.low < 0.5
    assert comparing.of_medians(ours, against) == medians, "seeded"


def test_too_few_numbers() -> None:
    for compare in (comparing.of_means, comparing.within_pairs, comparing.of_medians, comparing.of_spreads):
        with pytest.raises(ValueError, match="at least 2"):
            compare([1.0], [1.0])


@pytest.mark.parametrize(
    ("low", "high", "above", "below", "close"),
    [
        (0.1, 0.3, "yes", "no", "not to be told apart"),
        (-0.3, -0.1, "no", "yes", "not to be told apart"),
        (-0.1, 0.1, "not to be told apart", "not to be told apart", "yes"),
        (0.05, 0.2, "yes", "no", "yes"),
        (0.0, 0.1, "not to be told apart", "not to be told apart", "yes"),
        (0.21, 0.3, "yes", "no", "no"),
        (-0.3, -0.21, "no", "yes", "no"),
        (-0.3, 0.3, "not to be told apart", "not to be told apart", "not to be told apart"),
    ],
)
def test_verdicts(low: float, high: float, above: str, below: str, close: str) -> None:
    difference = Difference((low + high) / 2, low, high)
    assert comparing.is_above(difference) is Verdict(above)
    assert comparing.is_below(difference) is Verdict(below)
    assert comparing.is_close(difference, 0.2) is Verdict(close)
