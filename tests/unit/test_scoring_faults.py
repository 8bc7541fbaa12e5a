"""Scoring when something is wrong: NaN and Inf, too little memory, being asked to stop, broken caches, bad images."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from colgan_search.errors import DataError, Diverged, Interrupted, TrialFault
from colgan_search.evaluation.extractors import Extractor
from tests.unit.evaluation_helpers import FirstPixels, digits, evaluator, first_pixels, of_first_pixels, tiny_generator

torch.set_num_threads(1)


class Broken(nn.Module):
    """Images with one value that is not finite, in the fourth batch."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value, self.calls = value, 0

    def forward(self, z: Tensor) -> Tensor:
        self.calls += 1
        images = torch.zeros(len(z), 1, 8, 8)
        if self.calls == 4:
            images[-1, 0, 7, 7] = self.value
        return images


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_images_that_are_not_finite_diverge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: float) -> None:
    judge = evaluator(monkeypatch, tmp_path)
    broken = Broken(value).train()
    with pytest.raises(Diverged, match=r"G2: an image among 48\.\.59 of 60"):
        judge.score([tiny_generator(), broken], 8, seed=0)
    assert broken.training


@pytest.mark.parametrize("height", [math.nan, math.inf])
def test_logits_that_are_not_finite_diverge(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, height: float) -> None:
    judge = evaluator(monkeypatch, tmp_path, first_pixels(4, 1.0), splits=1, fid=False)
    original = FirstPixels.forward
    monkeypatch.setattr(FirstPixels, "forward", lambda self, x: (original(self, x)[0], original(self, x)[1] * height))
    with pytest.raises(Diverged, match="G1: the extractor's logits"):
        judge.score([tiny_generator()], 8, seed=0)


def test_score_that_is_not_finite_diverges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # probabilities that underflow to 0 even in float64: 0 * (log 0 - log 0) is NaN
    judge = evaluator(monkeypatch, tmp_path, first_pixels(4, 1e4), splits=1, fid=False)
    with pytest.raises(Diverged, match="the images: its inception score is nan"):
        judge.score_images(of_first_pixels(*[(2, 0)] * 10))


def test_scoring_stops_between_batches_when_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path, fid=False)
    generator, calls = tiny_generator(), iter(range(100))
    with pytest.raises(Interrupted, match=r"scoring G2 \(32 of 60 images\)"):
        judge.score([tiny_generator(), generator], 8, seed=0, should_stop=lambda: next(calls) >= 6)
    assert generator.training


def test_scoring_stops_between_the_groups_of_a_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extractor = replace(first_pixels(), group=5)
    whole = evaluator(monkeypatch, tmp_path, fid=False).score([tiny_generator()], 8, seed=0)
    judge = evaluator(monkeypatch, tmp_path, extractor, fid=False)
    found = judge.score([tiny_generator()], 8, seed=0)
    assert found.generators == whole.generators and (found.protocol.batch, whole.protocol.batch) == (5, 16)
    assert extractor.module.seen == [5, 5, 5, 1] * 3 + [5, 5, 2], "60 images in batches of 16"
    calls = iter(range(100))
    with pytest.raises(Interrupted, match=r"scoring G1 \(26 of 60 images\)"):
        judge.score([tiny_generator()], 8, seed=0, should_stop=lambda: next(calls) >= 6)


@pytest.mark.parametrize("after", range(23))  # 7 batches of real images, 4 of each generator's
def test_scoring_stops_wherever_it_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: int) -> None:
    judge, calls = evaluator(monkeypatch, tmp_path), iter(range(100))
    with pytest.raises(Interrupted):
        judge.score([tiny_generator()] * 4, 8, seed=0, should_stop=lambda: next(calls) >= after)
    # what was cut short leaves nothing behind that is wrong
    assert judge.score([tiny_generator()], 8, seed=0) == evaluator(monkeypatch, tmp_path / "other").score(
        [tiny_generator()], 8, seed=0
    )


class Greedy(nn.Module):
    """Needs more memory than there is for more than `most` images at once."""

    def __init__(self, generator: nn.Module, most: int) -> None:
        super().__init__()
        self.generator, self.most = generator, most
        self.asked: list[int] = []

    def forward(self, z: Tensor) -> Tensor:
        self.asked.append(len(z))
        if len(z) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        images: Tensor = self.generator(z)
        return images


def test_out_of_memory_halves_the_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    expected = evaluator(monkeypatch, tmp_path).score([tiny_generator()], 8, seed=4)
    greedy = Greedy(tiny_generator(), most=5)
    judge = evaluator(monkeypatch, tmp_path)
    found = judge.score([greedy], 8, seed=4)
    assert greedy.asked == [16, 8] + [4] * 15
    assert (expected.protocol.batch, found.protocol.batch) == (16, 4), "the record says what was computed"
    assert found.generators[0].is_mean == pytest.approx(expected.generators[0].is_mean, abs=1e-9)
    assert found.generators[0].fid == pytest.approx(expected.generators[0].fid, abs=1e-6)


def test_memory_too_small_for_one_image_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    greedy = Greedy(tiny_generator(), most=0)
    with pytest.raises(TrialFault, match="G1: out of memory while scoring a single image"):
        evaluator(monkeypatch, tmp_path).score([greedy], 8, seed=4)
    assert greedy.asked == [16, 8, 4, 2, 1]


def test_reference_statistics_are_computed_once_per_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    images, extractor = digits().images[100:160], first_pixels()
    judge = evaluator(monkeypatch, tmp_path, extractor)
    first = judge.score_images(images)
    judge.score_images(images)
    assert sum(extractor.module.seen) == 100 + 60 + 60, "all 100 real images, once"

    other = first_pixels()
    assert evaluator(monkeypatch, tmp_path, other).score_images(images) == first
    assert sum(other.module.seen) == 60, "the reference came from the cache"

    (cached,) = tmp_path.glob("*.npz")
    changed = Extractor("classifier", "fedcba9876543210", FirstPixels(4, 1.0), colour_only=False)
    evaluator(monkeypatch, tmp_path, changed).score_images(images)
    assert len(list(tmp_path.glob("*.npz"))) == 2, "other weights, other statistics"

    whole = cached.read_bytes()
    for broken in (whole[:-40], b"", b"garbage"):
        cached.write_bytes(broken)
        again = first_pixels()
        assert evaluator(monkeypatch, tmp_path, again).score_images(images) == first
        assert sum(again.module.seen) == 160 and cached.read_bytes() == whole


def test_pickled_reference_statistics_are_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    images = digits().images[100:160]
    first = evaluator(monkeypatch, tmp_path).score_images(images)
    (cached,) = tmp_path.glob("*.npz")
    with cached.open("wb") as file:
        np.savez(file, mu=np.array([{}, {}], dtype=object), sigma=np.eye(2))
    assert evaluator(monkeypatch, tmp_path).score_images(images) == first


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(60, 3, 8, 8, dtype=torch.uint8), r"expected uint8 \[N, 1, 8, 8\]"),
        (torch.zeros(60, 1, 16, 16, dtype=torch.uint8), r"\[60, 1, 16, 16\]"),
        (torch.zeros(60, 1, 8, 8), "torch.float32"),
        (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "2 are too few; 3 splits need 3"),
    ],
)
def test_images_that_do_not_fit_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, images: Tensor, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        evaluator(monkeypatch, tmp_path).score_images(images)


def test_generator_of_another_size_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"G1: images torch.uint8 \[16, 1, 16, 16\]"):
        evaluator(monkeypatch, tmp_path).score([tiny_generator(size=16)], 8, seed=0)
