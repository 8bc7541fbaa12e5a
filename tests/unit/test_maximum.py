"""The expected maximum: closed forms, and draws."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from colgan_search.rehearsal.synthetic import student
from colgan_search.surrogate.maximum import expected_maximum


def test_closed_forms() -> None:
    """Of two alike 1 / sqrt(pi), of three 1.5 / sqrt(pi); one alone, and one far ahead, nothing."""
    means = [[0.0, 0.0, -50.0], [0.0, 0.0, 0.0], [0.0, -50.0, -50.0]]
    alike = 1.0 / math.sqrt(math.pi)
    assert_allclose(expected_maximum(means, 2.0), [2 * alike, 3 * alike, 0.0], atol=1e-9)
    assert_allclose(expected_maximum([[3.0], [4.0]], 1.0), [3.0, 4.0], atol=1e-9)
    assert_allclose(expected_maximum([[3.0, 1.0]], 0.0), [3.0])
    with pytest.raises(ValueError, match="sd is -1"):
        expected_maximum([[0.0]], -1.0)


def test_against_draws() -> None:
    random = np.random.default_rng(0)
    means = random.normal(size=(6, 3))
    normal = 0.7 * random.standard_normal((1, 200_000, 3))
    heavy = 0.7 * random.standard_t(3, size=(1, 200_000, 3)) / math.sqrt(3)
    assert_allclose(expected_maximum(means, 0.7), (means[:, None] + normal).max(axis=2).mean(axis=1), atol=6e-3)
    found = expected_maximum(means, 0.7, student, 30.0, 160)
    assert_allclose(found, (means[:, None] + heavy).max(axis=2).mean(axis=1), atol=6e-3)


def test_the_nodes_are_enough() -> None:
    means = np.random.default_rng(1).normal(size=(50, 4))
    assert_allclose(expected_maximum(means, 0.5), expected_maximum(means, 0.5, reach=12.0, nodes=400), atol=1e-9)
