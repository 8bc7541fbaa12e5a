"""The numbers of figures 5 and 6 against clouds made by hand, and against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from colgan_search.errors import DataError
from colgan_search.evaluation.diversity import Draws, coverage, diversity, paired_distance, total_variance

RANDOM = torch.Generator().manual_seed(5)


def cloud(n: int, at: float = 0.0, wide: float = 1.0, d: int = 4) -> Tensor:
    return wide * torch.randn(n, d, generator=RANDOM) + at


def generator(at: float = 0.0, wide: float = 1.0, n: int = 400) -> Draws:
    """Two independent draws of one distribution."""
    return Draws(cloud(n, at, wide), cloud(n, at, wide))


REAL = cloud(800)


def test_a_cloud_ten_times_as_wide_has_a_hundred_times_the_variance() -> None:
    features = cloud(300)
    assert total_variance(features) == pytest.approx(np.trace(np.cov(features.double().numpy().T)), rel=1e-9)
    assert total_variance(10 * features - 3) == pytest.approx(100 * total_variance(features), rel=1e-4)
    narrow = [generator(), generator()]
    wide = [Draws(10 * draws.shared, 10 * draws.own) for draws in narrow]
    ours, theirs = diversity(wide, REAL), diversity(narrow, REAL)
    assert ours.variance == pytest.approx(100 * theirs.variance, rel=1e-4)
    assert ours.variance_within == pytest.approx(100 * theirs.variance_within, rel=1e-4)
    assert (ours.paired, ours.overlap) == (pytest.approx(theirs.paired, rel=1e-4), pytest.approx(theirs.overlap))


def test_identical_generators_overlap_fully_and_disjoint_ones_not_at_all() -> None:
    one = generator()
    assert diversity([one, one], REAL).overlap == pytest.approx(1.0, abs=0.15)
    assert diversity([generator(), generator()], REAL).overlap == pytest.approx(1.0, abs=0.15), "as distributions"
    assert diversity([generator(), generator(at=100.0)], REAL).overlap == 0.0


def test_a_half_overlap_is_about_a_half() -> None:
    def half(at: float) -> Draws:
        draws = [torch.cat([cloud(200), cloud(200, at)]) for _ in range(2)]
        return Draws(*draws)

    assert diversity([half(100.0), half(-100.0)], REAL).overlap == pytest.approx(0.5, abs=0.08)


def test_paired_distance_of_a_hand_computed_example() -> None:
    # Same z: |0 - 0| and |1 - 3|, mean 1; unrelated: |0 - 3| and |1 - 0|, mean 2.
    assert paired_distance(torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [3.0]])) == pytest.approx(0.5)
    features, other = cloud(50), cloud(50)
    assert paired_distance(features, features) == 0.0
    assert paired_distance(features, other) == pytest.approx(1.0, abs=0.15)
    distances = cdist(features.double().numpy(), other.double().numpy())
    unrelated = distances[~np.eye(50, dtype=bool)].mean()
    assert paired_distance(features, other) == pytest.approx(np.diag(distances).mean() / unrelated, rel=1e-9)
    assert paired_distance(torch.ones(5, 2), torch.ones(5, 2)) is None


def test_the_variance_of_both_together_is_that_of_each_and_of_their_distance() -> None:
    """Two generators far apart: wide together, narrow alone."""
    found = diversity([generator(at=-5.0), generator(at=5.0)], REAL)
    assert found.variance_within == pytest.approx(4.0, rel=0.15)
    assert found.variance == pytest.approx(4.0 + 4 * 25.0, rel=0.1)


def test_recall_is_the_share_of_the_real_images_that_is_covered() -> None:
    real = torch.cat([cloud(300), cloud(300, at=50.0)])
    one, both = diversity([generator(), generator()], real), diversity([generator(), generator(at=50.0)], real)
    assert one.recall == pytest.approx(0.5, abs=0.06) and one.recall <= 0.5
    assert both.recall > 0.85
    assert diversity([generator(at=-50.0)] * 2, real).recall == 0.0


def test_coverage_against_distances_by_scipy() -> None:
    points, by = cloud(40), cloud(30, at=1.0)
    between = cdist(points.double().numpy(), by.double().numpy())
    radius_by = np.sort(cdist(by.double().numpy(), by.double().numpy()), axis=1)[:, 3]  # 0 is itself
    radius_points = np.sort(cdist(points.double().numpy(), points.double().numpy()), axis=1)[:, 3]
    expected = (between <= radius_by).any(axis=1).mean(), (radius_points >= between.T).any(axis=1).mean()
    assert coverage(points, by) == pytest.approx(expected)


def test_one_generator_and_images_that_are_all_the_same() -> None:
    alone = diversity([generator()], REAL)
    assert (alone.paired, alone.overlap) == (None, None)
    assert alone.variance == alone.variance_within == pytest.approx(4.0, rel=0.15)
    collapsed = Draws(torch.ones(50, 4), torch.ones(50, 4))
    found = diversity([collapsed, collapsed], REAL)
    assert found.paired is None and found.variance == 0.0


def test_too_few_images() -> None:
    with pytest.raises(DataError, match="at least 4"):
        diversity([generator(n=3)], REAL)
