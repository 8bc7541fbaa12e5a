"""Inception score and FID: hand-computed values, torch-fidelity's calculate_metrics, and what scoring leaves alone."""

import copy
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch_fidelity
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

from benchmarks.random_inception import Images, random_weights
from colgan_search.evaluation import scores
from colgan_search.evaluation.scores import Evaluator
from colgan_search.images import RealImages, to_bytes
from colgan_search.records import Protocol
from colgan_search.seeds import derive_seed
from tests.unit.evaluation_helpers import (
    CPU,
    colour_images,
    digits,
    evaluator,
    first_pixels,
    of_first_pixels,
    settings,
    tiny_generator,
)

torch.set_num_threads(1)


def calculate_metrics(module: FeatureExtractorBase, images: Tensor, real: Tensor, splits: int) -> dict[str, float]:
    """torch-fidelity's own way through the same module."""

    class Registered(FeatureExtractorBase):
        def __new__(cls, *arguments: Any, **options: Any) -> FeatureExtractorBase:
            return module

        get_default_feature_layer_for_metric = staticmethod(module.get_default_feature_layer_for_metric)

    FEATURE_EXTRACTORS_REGISTRY["under-test"] = Registered
    try:
        return calculate(images, real, splits, feature_extractor="under-test")
    finally:
        del FEATURE_EXTRACTORS_REGISTRY["under-test"]


def calculate(images: Tensor, real: Tensor, splits: int, **options: Any) -> dict[str, float]:
    with threadpool_limits(1):
        return torch_fidelity.calculate_metrics(
            input1=Images(images),
            input2=Images(real),
            isc=True,
            fid=True,
            isc_splits=splits,
            cuda=False,
            cache=False,
            save_cpu_ram=True,
            verbose=False,
            **options,
        )


def test_confident_and_uniform_over_c_classes_scores_c(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path, splits=1, fid=False)
    score = judge.score_images(of_first_pixels(*[(i, 0) for i in range(4)] * 10))
    assert score.is_mean == pytest.approx(4.0, abs=1e-9)
    assert score.is_std == 0.0 and score.fid is None


def test_images_of_one_class_score_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path, splits=2, fid=False)
    score = judge.score_images(of_first_pixels(*[(2, 0)] * 10))
    assert score.is_mean == pytest.approx(1.0, abs=1e-12) and score.is_mean >= 1.0


def test_unsure_logits_against_a_sum_by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # two classes, logits (log 3, 0) and (0, log 3): p = (3/4, 1/4) and (1/4, 3/4), marginal (1/2, 1/2)
    judge = evaluator(monkeypatch, tmp_path, first_pixels(2, math.log(3)), splits=1, fid=False)
    expected = math.exp(0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    assert judge.score_images(of_first_pixels((0, 0), (1, 0))).is_mean == pytest.approx(expected, abs=1e-6)


def test_fid_of_independent_pixels_by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = of_first_pixels((0, 0), (0, 2), (2, 0), (2, 2))
    monkeypatch.setattr(scores, "load_extractor", lambda *a: first_pixels())
    judge = Evaluator(settings(splits=1), RealImages("four", real, torch.zeros(4).long(), ("a", "b")), tmp_path, CPU)
    # per pixel: mean 1 and sd sqrt(4/3) against mean 6 and sd 2 sqrt(4/3)
    score = judge.score_images(of_first_pixels((4, 4), (4, 8), (8, 4), (8, 8)))
    assert score.fid == pytest.approx(2 * (5**2 + 4 / 3), abs=1e-6)
    assert judge.score_images(real).fid == pytest.approx(0.0, abs=1e-6)


def test_classifier_scores_equal_torch_fidelity(tmp_path: Path) -> None:
    real = digits(150)
    judge = Evaluator(settings(splits=4, batch=7, classifier_epochs=30), real, tmp_path, CPU)
    # other digits, half of them upside down: neither perfect nor hopeless
    images = digits().images[200:300].clone()
    images[::2] = images[::2].flip(2)
    score = judge.score_images(images)
    theirs = calculate_metrics(judge.extractor.module, images, real.images, splits=4)
    assert score.is_mean > 1.5 and score.fid is not None and score.fid > 0.1
    assert score.is_mean == pytest.approx(theirs["inception_score_mean"], abs=1e-4)
    assert score.is_std == pytest.approx(theirs["inception_score_std"], abs=1e-4)
    assert score.fid == pytest.approx(theirs["frechet_inception_distance"], abs=1e-4)


@pytest.fixture
def inception_weights(tmp_path: Path) -> Path:
    """Random InceptionV3 weights that tell images apart."""
    path = tmp_path / "inception.pth"
    random_weights(path, colour_images(3, seed=1), seed=3)
    return path


@pytest.mark.slow
def test_inception_scores_equal_torch_fidelity(tmp_path: Path, inception_weights: Path) -> None:
    generated, real = colour_images(8, seed=2), colour_images(6, seed=3)
    chosen = settings(extractor="inception", weights=str(inception_weights), splits=2, batch=4)
    names = RealImages("colours", real, torch.zeros(6).long(), ("any",))
    judge = Evaluator(chosen, names, tmp_path / "cache", CPU)
    score = judge.score_images(generated)
    # their own module from the same file; the same batch, as the many empty dimensions magnify rounding
    theirs = calculate(
        generated,
        real,
        splits=2,
        batch_size=4,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(inception_weights),
    )
    assert score.is_mean > 1.2 and score.fid is not None and score.fid > 1
    assert score.is_mean == pytest.approx(theirs["inception_score_mean"], abs=1e-4)
    assert score.is_std == pytest.approx(theirs["inception_score_std"], abs=1e-4)
    # these random features are in the hundreds, and FID in the hundred thousands
    assert score.fid == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5)
    assert judge.extractor.weights_digest == judge.protocol().weights_digest
    assert len(judge.extractor.weights_digest) == 16


def test_protocol_says_how_the_score_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path)
    found = judge.score([tiny_generator(), tiny_generator(seed=1)], 8, seed=0)
    assert found.protocol == Protocol(
        extractor="classifier",
        weights_digest="0123456789abcdef",
        resolution=8,
        channels=1,
        images=60,
        splits=3,
        reference=f"digits:100:{digits(100).digest}",
        dtype="float32",
        tf32=False,
        batch=16,
    )
    assert len(found.generators) == 2 and all(one.fid is not None for one in found.generators)
    assert judge.images_protocol(33) == found.protocol.model_copy(update={"images": 33})

    without = evaluator(monkeypatch, tmp_path, fid=False).score([tiny_generator()], 8, seed=0)
    assert without.protocol.reference is None and without.generators[0].fid is None


def test_interim_takes_fewer_images_and_one_split(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    extractor = first_pixels()
    judge = evaluator(monkeypatch, tmp_path, extractor)
    found = judge.score([tiny_generator()], 8, seed=0, interim=True)
    assert found.protocol == judge.protocol(interim=True)
    assert (found.protocol.images, found.protocol.splits, found.protocol.reference) == (20, 1, None)
    assert found.generators[0].is_std == 0.0 and found.generators[0].fid is None
    assert extractor.module.seen == [16, 4], "20 images, and none of the real ones"
    assert not list(tmp_path.iterdir()), "no reference statistics"


def test_generators_are_scored_in_eval_mode_on_their_own_z(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path)
    generators = [tiny_generator(seed=1), tiny_generator(seed=2)]
    found = judge.score(generators, 8, seed=9)
    for number, generator in enumerate(generators, start=1):
        z = torch.randn(60, 8, generator=torch.Generator().manual_seed(derive_seed(9, "score", number)))
        with torch.no_grad():
            images = to_bytes(copy.deepcopy(generator).eval()(z))
        assert found.generators[number - 1] == judge.score_images(images)
    assert found.generators[0] != found.generators[1]


def test_seed_decides_and_the_batch_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    generator = tiny_generator()
    first = evaluator(monkeypatch, tmp_path).score([generator], 8, seed=1)
    assert evaluator(monkeypatch, tmp_path).score([generator], 8, seed=1) == first
    assert evaluator(monkeypatch, tmp_path).score([generator], 8, seed=2) != first
    other = evaluator(monkeypatch, tmp_path, batch=60).score([generator], 8, seed=1)
    assert other.generators[0].is_mean == pytest.approx(first.generators[0].is_mean, abs=1e-9)
    assert other.generators[0].fid == pytest.approx(first.generators[0].fid, abs=1e-6)


def test_scoring_leaves_the_training_state_untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judge = evaluator(monkeypatch, tmp_path)
    generator = tiny_generator()
    generator.append(nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 1, 1)))
    generator[1].eval()  # a part that its owner keeps in eval mode
    state = copy.deepcopy(generator.state_dict())
    modes = [part.training for part in generator.modules()]
    torch.manual_seed(11)
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()
    judge.score([generator], 8, seed=0)
    judge.score([generator], 8, seed=0, interim=True)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (str(np.random.get_state()), random.getstate()) == before[1:]
    assert [part.training for part in generator.modules()] == modes
    after = generator.state_dict()
    assert list(after) == list(state) and all(torch.equal(after[name], state[name]) for name in state)
    assert all(value.grad is None for value in generator.parameters())
