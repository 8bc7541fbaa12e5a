"""Small real images, generators and extractors for the tests of the evaluation."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from colgan_search.config import EvaluationSettings
from colgan_search.evaluation import classifier, scores
from colgan_search.evaluation.extractors import Extractor
from colgan_search.evaluation.scores import Evaluator
from colgan_search.images import RealImages

CPU = torch.device("cpu")


def digits(limit: int | None = None) -> RealImages:
    """scikit-learn's digits as uint8 [N, 1, 8, 8]: 17 levels of grey."""
    data = load_digits()
    images = torch.tensor(data.images * 15).round().to(torch.uint8)[:limit, None]
    return RealImages("digits", images, torch.tensor(data.target)[:limit], tuple("0123456789"))


def colour_images(count: int, seed: int) -> Tensor:
    """uint8 [count, 3, 16, 16]: smooth random colours, so that the images differ from one another."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(count, 3, 2, 2, generator=generator) * 255
    return nn.functional.interpolate(small, size=16, mode="bilinear").to(torch.uint8)


class Evil:
    """Unpickling it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


class FirstPixels(FeatureExtractorBase):
    """Logits: `height` at the class that the first pixel names, 0 elsewhere. Features: the first two pixels."""

    def __init__(self, classes: int, height: float) -> None:
        super().__init__("first-pixels", ["pixels", "logits"])
        self.classes, self.height = classes, height
        self.anchor = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.seen: list[int] = []
        """Images of every batch."""

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(len(images))
        pixels = images.flatten(1)[:, :2]
        logits = nn.functional.one_hot(pixels[:, 0].long() % self.classes, self.classes) * self.height
        return pixels.float(), logits.float()

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return "pixels", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "logits" if metric == "isc" else "pixels"


def first_pixels(classes: int = 4, height: float = 100.0) -> Extractor:
    return Extractor("classifier", "0123456789abcdef", FirstPixels(classes, height), colour_only=False)


def tiny_generator(z: int = 8, channels: int = 1, size: int = 8, seed: int = 0) -> nn.Module:
    """z [N, z] -> [N, channels, size, size] in [-1, 1], with batch norm and dropout."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Linear(z, 16),
            nn.BatchNorm1d(16),
            nn.Dropout(0.5),
            nn.Linear(16, channels * size * size),
            nn.Tanh(),
            nn.Unflatten(1, (channels, size, size)),
        )


def settings(**fields: Any) -> EvaluationSettings:
    given = {
        "extractor": "classifier",
        "images": 60,
        "splits": 3,
        "batch": 16,
        "interim_images": 20,
        "classifier_epochs": 2,
    }
    return EvaluationSettings(**{**given, **fields})


def evaluator(
    monkeypatch: pytest.MonkeyPatch, cache: Path, extractor: Extractor | None = None, **fields: Any
) -> Evaluator:
    """One whose logits and features are the images' first pixels: see FirstPixels."""
    chosen = extractor if extractor is not None else first_pixels()
    monkeypatch.setattr(scores, "load_extractor", lambda *a: chosen)
    return Evaluator(settings(**fields), digits(100), cache, CPU)


def of_first_pixels(*pixels: tuple[int, int]) -> Tensor:
    """uint8 [N, 1, 8, 8] with these two first pixels, 0 elsewhere."""
    images = torch.zeros(len(pixels), 1, 8, 8, dtype=torch.uint8)
    images[:, 0, 0, :2] = torch.tensor(pixels, dtype=torch.uint8)
    return images


def load_and_report(barrier: Any, cache: Path, report: Path) -> None:
    """In a process of its own: loads the classifier, with a line in `report` for a training and one for the digest."""
    torch.set_num_threads(1)
    train = classifier.train_classifier

    def told_training(*arguments: Any) -> float:
        with report.open("a") as file:
            file.write("trained\n")
        time.sleep(0.5)  # long enough for the other process to come to the lock
        return train(*arguments)

    classifier.train_classifier = told_training
    real = digits(200)
    barrier.wait(timeout=120)
    _, card = classifier.load_classifier(real, 1, cache, CPU)
    with report.open("a") as file:
        file.write(f"digest {card.weights_digest}\n")
