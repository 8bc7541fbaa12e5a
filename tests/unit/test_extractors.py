"""The classifier extractor: trained once, the same every time, cached safely."""

import json
import logging
import multiprocessing
import pickle
import random
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock

from colgan_search.config import EvaluationSettings
from colgan_search.errors import DataError, Interrupted
from colgan_search.evaluation import classifier, classifier_files
from colgan_search.evaluation.classifier import Classifier, card_path, load_classifier
from colgan_search.evaluation.extractors import load_extractor
from colgan_search.images import RealImages
from tests.unit.evaluation_helpers import CPU, Evil, digits, load_and_report

torch.set_num_threads(1)

SETTINGS = EvaluationSettings(extractor="classifier", classifier_epochs=20)


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any) -> float:
        raise AssertionError("the classifier was trained")

    monkeypatch.setattr(classifier, "train_classifier", refuse)


@pytest.fixture
def quick_training(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces the training by one that only draws weights; gives the list that gets an entry per training."""
    trained: list[str] = []

    def draw(module: Classifier, *arguments: Any) -> float:
        trained.append("trained")
        for value in module.parameters():
            torch.nn.init.normal_(value, generator=torch.Generator().manual_seed(7))
        return 0.95

    monkeypatch.setattr(classifier, "train_classifier", draw)
    return trained


def weights_files(cache: Path) -> list[Path]:
    return sorted(cache.glob("classifier-*.safetensors"))


def test_classifier_learns_the_digits_and_is_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = digits()
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()
    with caplog.at_level(logging.WARNING):
        first = load_extractor(SETTINGS, real, tmp_path, CPU)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (str(np.random.get_state()), random.getstate()) == before[1:]
    assert not caplog.records, "98 % is no reason for a warning"

    (weights,) = weights_files(tmp_path)
    card = json.loads(card_path(weights).read_text())
    assert card["held_out_accuracy"] > 0.9
    assert card["epochs"] == 20 and card["classes"] == list("0123456789")
    assert card["real"] == f"digits:1797:{real.digest}"
    assert first.name == "classifier"
    assert first.weights_digest == card["weights_digest"] == sha256(weights.read_bytes()).hexdigest()[:16]
    assert not first.module.training

    # the network that comes back is the one that was judged, also when it comes from the cache
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: pytest.fail("trained again"))
    again = load_extractor(SETTINGS, real, tmp_path, CPU)
    features, logits = again(real.images)
    assert features.shape == (1797, 128) and logits.shape == (1797, 10)
    assert torch.equal(logits, first(real.images)[1])
    assert (logits.argmax(1) == real.labels).float().mean() > 0.95
    assert again.weights_digest == first.weights_digest


def test_training_is_the_same_bits_every_time(tmp_path: Path) -> None:
    real = digits(300)
    torch.manual_seed(1)
    _, one = load_classifier(real, 2, tmp_path / "one", CPU)
    torch.manual_seed(2)
    _, two = load_classifier(real, 2, tmp_path / "two", CPU)
    _, more = load_classifier(real, 3, tmp_path / "two", CPU)
    assert one == two
    assert more != two, "other epochs are another classifier"


def test_held_out_images_are_not_trained_on(tmp_path: Path) -> None:
    # labels without any relation to the images: learnt by heart in training, guessed when held out
    real = digits(400)
    shuffled = real.labels[torch.randperm(400, generator=torch.Generator().manual_seed(5))]
    noise = RealImages("noise", real.images, shuffled, real.classes)
    module, _ = load_classifier(noise, 80, tmp_path, CPU)
    card = json.loads(card_path(weights_files(tmp_path)[0]).read_text())
    with torch.no_grad():
        whole = (module(noise.images)[1].argmax(1) == shuffled).float().mean().item()
    assert whole > 0.8
    assert card["held_out_accuracy"] < 0.4


def test_poor_accuracy_is_warned_about_whenever_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.899)
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            load_classifier(digits(50), 3, tmp_path, CPU)
        assert "89.9 %" in caplog.text and "classifier_epochs" in caplog.text


@pytest.mark.parametrize("size", [8, 16, 20, 64, 256])
@pytest.mark.parametrize("channels", [1, 3])
def test_classifier_takes_any_size_and_channels(size: int, channels: int) -> None:
    module = Classifier(channels, size, 7).eval()
    images = torch.randint(0, 256, (2, channels, size, size), dtype=torch.uint8)
    features, logits = module(images)
    assert features.shape == (2, 128) and logits.shape == (2, 7)
    assert features.isfinite().all() and (features >= 0).all()
    assert torch.equal(logits, module.last(features)), "the features are the penultimate layer"


def test_one_class_is_refused(tmp_path: Path) -> None:
    real = digits(20)
    with pytest.raises(DataError, match="at least 2 classes"):
        load_classifier(RealImages("one", real.images, real.labels * 0, ("only",)), 1, tmp_path, CPU)
    assert not tmp_path.exists() or not list(tmp_path.iterdir())


def _truncate(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-100])


def _garbage(weights: Path) -> None:
    weights.write_bytes(b"not safetensors")


def _flip_a_bit(weights: Path) -> None:
    content = bytearray(weights.read_bytes())
    content[-50] ^= 1
    weights.write_bytes(content)


def _pickle(weights: Path) -> None:
    weights.write_bytes(pickle.dumps(Evil(weights.parent / "evil")))
    _agree(weights)


def _other_network(weights: Path) -> None:
    from safetensors.torch import save_file

    save_file({"other": torch.zeros(3)}, weights)
    _agree(weights)


def _agree(weights: Path) -> None:
    """Makes the card say that these are its weights."""
    card = json.loads(card_path(weights).read_text())
    card["weights_digest"] = sha256(weights.read_bytes()).hexdigest()[:16]
    card_path(weights).write_text(json.dumps(card))


def _no_card(weights: Path) -> None:
    card_path(weights).unlink()


def _broken_card(weights: Path) -> None:
    card_path(weights).write_text("{")


@pytest.mark.parametrize("damage", [_truncate, _garbage, _flip_a_bit, _pickle, _other_network, _no_card, _broken_card])
def test_broken_cache_is_trained_again(tmp_path: Path, quick_training: list[str], damage: Any) -> None:
    real = digits(50)
    _, digest = load_classifier(real, 1, tmp_path, CPU)
    load_classifier(real, 1, tmp_path, CPU)
    assert quick_training == ["trained"]
    (weights,) = weights_files(tmp_path)
    whole = weights.read_bytes()
    damage(weights)
    _, again = load_classifier(real, 1, tmp_path, CPU)
    assert len(quick_training) == 2
    assert again == digest and weights.read_bytes() == whole
    assert not (tmp_path / "evil").exists()
    load_classifier(real, 1, tmp_path, CPU)
    assert len(quick_training) == 2, "the cache is whole again"


def test_other_images_are_another_classifier(tmp_path: Path, quick_training: list[str]) -> None:
    load_classifier(digits(50), 1, tmp_path, CPU)
    load_classifier(digits(51), 1, tmp_path, CPU)
    assert len(quick_training) == 2 and len(weights_files(tmp_path)) == 2


@pytest.mark.slow
def test_two_processes_at_once_train_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, report = context.Barrier(2), tmp_path / "report"
    workers = [context.Process(target=load_and_report, args=(barrier, tmp_path / "cache", report)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=200)
    assert [worker.exitcode for worker in workers] == [0, 0]
    lines = report.read_text().splitlines()
    assert lines.count("trained") == 1
    assert len(lines) == 3 and len(set(lines)) == 2, "both have the same weights"


def test_training_stops_when_asked(tmp_path: Path) -> None:
    calls = iter(range(100))
    with pytest.raises(Interrupted, match="training the classifier"):
        load_classifier(digits(300), 50, tmp_path, CPU, lambda: next(calls) >= 5)
    assert not weights_files(tmp_path), "nothing half-trained is kept"


def test_waiting_for_another_worker_stops_when_asked(tmp_path: Path, no_training: None) -> None:
    real = digits(50)
    weights = tmp_path / classifier_files.file_name(real, 1)
    held, done = threading.Event(), threading.Event()

    def other_worker() -> None:
        with FileLock(f"{weights}.lock"):
            held.set()
            done.wait(60)

    thread = threading.Thread(target=other_worker)
    thread.start()
    held.wait(60)
    try:
        with pytest.raises(Interrupted, match="waiting for another worker"):
            load_classifier(real, 1, tmp_path, CPU, lambda: True)
    finally:
        done.set()
        thread.join()
