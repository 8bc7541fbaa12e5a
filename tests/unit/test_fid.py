"""FID's trace of a matrix root by symmetric eigenvalues against torch-fidelity, SciPy's sqrtm and hand computation."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

from colgan_search.evaluation.fid import Statistics, covariance_root, feature_statistics, frechet_distance

CPU = torch.device("cpu")


def features(count: int, wide: int, seed: int, spread: float = 0.0) -> torch.Tensor:
    """[count, wide], at least 0 as Inception's; their variances fall over 10 ** `spread` orders of magnitude."""
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(count, wide, generator=generator) * torch.logspace(0, -spread, wide)
    return (mixed @ torch.randn(wide, wide, generator=generator) / wide**0.5 + 0.3 + 0.05 * seed).relu()


def ours(one: Statistics, other: Statistics) -> float:
    return frechet_distance(one, other, covariance_root(other, CPU))


CASES = {
    "more images than features": (400, 500, 48, 0.0),
    "fewer images than features": (20, 500, 96, 0.0),
    "fewer images than features on both sides": (20, 30, 96, 0.0),
    "two images": (2, 30, 64, 0.0),
    "variances over eight orders": (400, 500, 48, 8.0),
    "variances over eight orders, few images": (30, 40, 96, 8.0),
}


@pytest.mark.parametrize("case", CASES)
def test_torch_fidelity_and_scipy_agree(case: str) -> None:
    first, second, wide, spread = CASES[case]
    one, other = (
        feature_statistics(features(first, wide, 1, spread)),
        feature_statistics(features(second, wide, 2, spread)),
    )
    found = ours(one, other)
    assert found == pytest.approx(fid_statistics_to_metric(one, other, False)[KEY_METRIC_FID], abs=1e-4)
    # SciPy's own root of a singular product can fail; the smaller of two equal forms of it does not
    half = np.real(scipy.linalg.sqrtm(other["sigma"] + 1e-14 * np.eye(wide)))
    middle = scipy.linalg.sqrtm(half @ one["sigma"] @ half + 1e-14 * np.eye(wide))
    apart = one["mu"].astype(float) - other["mu"].astype(float)
    by_scipy = apart @ apart + np.trace(one["sigma"]) + np.trace(other["sigma"]) - 2 * np.trace(np.real(middle))
    assert found == pytest.approx(by_scipy, abs=1e-4)
    assert ours(other, one) == pytest.approx(found, abs=1e-5), "a distance has no direction"


def test_independent_features_by_hand() -> None:
    # diagonal covariances: the sum of (difference of means)^2 + (difference of deviations)^2
    one = {"mu": np.array([1.0, 2.0, 3.0]), "sigma": np.diag([4.0, 9.0, 0.0])}
    other = {"mu": np.array([1.0, 0.0, 3.5]), "sigma": np.diag([1.0, 25.0, 1e-12])}
    assert ours(one, other) == pytest.approx(0 + 4 + 0.25 + (2 - 1) ** 2 + (3 - 5) ** 2, abs=1e-5)


def test_the_same_images_are_at_distance_nought() -> None:
    for count in (20, 300):
        same = feature_statistics(features(count, 64, 1, 6.0))
        assert ours(same, same) == pytest.approx(0.0, abs=1e-5)


def test_images_that_are_all_alike() -> None:
    constant = feature_statistics(torch.full((10, 32), 0.5))
    other = feature_statistics(features(100, 32, 1))
    expected = float(((0.5 - other["mu"].astype(float)) ** 2).sum() + np.trace(other["sigma"]))
    assert ours(constant, other) == pytest.approx(expected, abs=1e-5)
    assert ours(other, constant) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_statistics_that_are_not_finite_are_told(wrong: float) -> None:
    good = feature_statistics(features(100, 16, 1))
    bad = {"mu": good["mu"], "sigma": good["sigma"].copy()}
    bad["sigma"][3, 4] = wrong
    with pytest.raises(np.linalg.LinAlgError, match="not finite"):
        ours(bad, good)
    with pytest.raises(np.linalg.LinAlgError, match="not finite"):
        covariance_root(bad, CPU)
