"""The fast InceptionV3 and its resize against torch-fidelity's own module and function."""

import pytest
import torch
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from benchmarks.random_inception import random_inception
from colgan_search.evaluation import fused_inception
from colgan_search.evaluation.fused_inception import FusedInception
from colgan_search.evaluation.resize import resize, resize_matrix
from tests.unit.evaluation_helpers import colour_images

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def theirs() -> FeatureExtractorInceptionV3:
    """torch-fidelity's module with random weights, its batch norms fitted to a few images."""
    return random_inception(colour_images(3, seed=1), seed=5, random_norms=True)


def resized_by_torch_fidelity(images: Tensor) -> Tensor:
    return interpolate_bilinear_2d_like_tensorflow1x(images, size=(299, 299), align_corners=False)


SIZES = [*range(1, 72), 96, 100, 127, 128, 149, 150, 200, 255, 256, 297, 298, 299, 300, 301, 331, 400, 512, 597, 598]


@pytest.mark.parametrize("size", SIZES)
def test_resize_is_torch_fidelitys_for_every_size(size: int) -> None:
    images = torch.randint(0, 256, (2, 3, size, size), generator=torch.Generator().manual_seed(size)).float()
    matrix = resize_matrix(size, 299)
    found = resize(images, matrix, matrix)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found, resized_by_torch_fidelity(images), rtol=0, atol=1e-4)
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(299), rtol=0, atol=1e-6)


@pytest.mark.parametrize("height, width", [(8, 64), (64, 8), (1, 300), (299, 32), (31, 33)])
def test_resize_of_images_that_are_not_square(height: int, width: int) -> None:
    images = torch.randint(0, 256, (2, 3, height, width), generator=torch.Generator().manual_seed(1)).float()
    found = resize(images, resize_matrix(height, 299), resize_matrix(width, 299))
    torch.testing.assert_close(found, resized_by_torch_fidelity(images), rtol=0, atol=1e-4)


def test_a_checkerboard_at_its_own_size_stays_as_it_is() -> None:
    board = (torch.arange(299)[:, None] + torch.arange(299)) % 2 * 255.0
    assert torch.equal(resize_matrix(299, 299), torch.eye(299))
    found = resize(board.expand(1, 3, 299, 299), resize_matrix(299, 299), resize_matrix(299, 299))
    assert torch.equal(found[0, 0], board)


def test_features_and_logits_are_torch_fidelitys(theirs: FeatureExtractorInceptionV3) -> None:
    images = colour_images(3, seed=2)
    with torch.no_grad():
        expected = theirs(images)
        for options in ({}, {"group": 2}, {"group": None, "in_one_pass": False}):
            found = FusedInception(theirs, **options)(images)
            for ours, wanted in zip(found, expected, strict=True):
                assert ours.shape == wanted.shape and ours.dtype == torch.float32
                assert float((ours - wanted).abs().max() / wanted.abs().max()) < 1e-5


def test_no_further_from_float64_than_torch_fidelity_is(theirs: FeatureExtractorInceptionV3) -> None:
    """The truth is the same network in float64, by torch-fidelity."""
    images = colour_images(2, seed=3)
    with torch.no_grad():
        ours, plain = FusedInception(theirs)(images)[0], theirs(images)[0]
        theirs.double().feature_extractor_internal_dtype = torch.float64
        try:
            truth = theirs(images)[0]
        finally:
            theirs.float().feature_extractor_internal_dtype = torch.float32
    assert (ours - truth).abs().max() < 4 * (plain - truth).abs().max() + 1e-6 * truth.abs().max()


def test_it_runs_where_pytorch_has_no_convolution_in_one_pass(
    theirs: FeatureExtractorInceptionV3, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = colour_images(1, seed=4)
    with torch.no_grad():
        expected = FusedInception(theirs)(images)[0]
        monkeypatch.setattr(fused_inception, "one_pass_convolution", lambda: None)
        found = FusedInception(theirs)(images)[0]
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


def test_a_size_comes_back_after_many_others(theirs: FeatureExtractorInceptionV3) -> None:
    fast = FusedInception(theirs)
    before = fast._matrix(16)
    for size in range(20, 40):
        fast._matrix(size)
    assert torch.equal(fast._matrix(16), before)
    assert len(fast._matrices) <= fused_inception.KEPT_SIZES
