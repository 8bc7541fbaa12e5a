"""The `classifier` extractor: a small CNN, trained once on the study's own labelled images and cached."""

import logging
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase

from colgan_search.evaluation.classifier_card import Card, card_path, poor
from colgan_search.evaluation.classifier_files import ARCHITECTURE, file_name, require_classes
from colgan_search.evaluation.classifier_training import train_classifier
from colgan_search.files import atomic_path, file_digest, locked, never, require_space, write_text
from colgan_search.images import RealImages, to_pixels
from colgan_search.records import ShouldStop

LARGEST_SIDE = 64
"""Larger images are averaged down to this many pixels first: it bounds the cost of training on a CPU."""

log = logging.getLogger(__name__)


class Classifier(FeatureExtractorBase):  # type: ignore[misc]  # torch-fidelity has no type hints
    """Convolutions that halve the side until it is at most 4, then two linear layers.

    uint8 [N, channels, size, size] -> (features [N, 128], logits [N, classes]), float32.
    """

    FEATURES = 128

    def __init__(self, channels: int, size: int, classes: int) -> None:
        super().__init__("colgan-classifier", list(self.get_provided_features_list()))
        side, width = min(size, LARGEST_SIDE), 16
        self.largest_side = side
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
        ]
        while side > 4:
            wider = min(2 * width, 128)
            layers += [nn.Conv2d(width, wider, 3, 2, 1, bias=False), nn.BatchNorm2d(wider), nn.ReLU(inplace=True)]
            side, width = (side + 1) // 2, wider
        self.convolutions = nn.Sequential(*layers)
        self.penultimate = nn.Sequential(nn.Flatten(), nn.Linear(width * side**2, self.FEATURES), nn.ReLU(inplace=True))
        self.last = nn.Linear(self.FEATURES, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, channels, size, size] -> (features [N, 128], logits [N, classes])."""
        pixels = to_pixels(images)
        if pixels.shape[-1] > self.largest_side:
            pixels = nn.functional.adaptive_avg_pool2d(pixels, self.largest_side)
        features = self.penultimate(self.convolutions(pixels))
        return features, self.last(features)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        """The outputs of `forward`, in order."""
        return "penultimate", "logits"

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        """The output that torch-fidelity's `metric` reads."""
        return "logits" if metric == "isc" else "penultimate"

    @staticmethod
    def can_be_compiled() -> bool:
        """Not worth it for so small a network."""
        return False


def load_classifier(
    real: RealImages, epochs: int, cache: Path, device: torch.device, should_stop: ShouldStop = never
) -> tuple[Classifier, Card]:
    """The classifier of these images on `device` in eval mode, and its card; trained if need be.

    However many workers ask at once, one trains and the others wait. A broken cache file is replaced.
    A held-out accuracy below 0.9 is logged as a warning. DataError if the images have fewer than two classes.
    """
    require_classes(real, real.name)
    channels, size = real.images.shape[1], real.images.shape[2]
    module = Classifier(channels, size, len(real.classes)).to(device)
    weights = cache / file_name(real, epochs)
    with locked(weights, should_stop):
        card = _read(module, weights)
        if card is None:
            accuracy = train_classifier(module, real, epochs, should_stop)
            card = _write(module, weights, real, epochs, accuracy)
    if (warning := poor(card.held_out_accuracy)) is not None:
        log.warning("%s: %s", real.name, warning)
    return module.eval().requires_grad_(False), card


def _read(module: Classifier, weights: Path) -> Card | None:
    """Loads the cached weights into `module`; None if they are missing or not what their card says."""
    if not weights.exists():
        return None
    try:
        card = Card.model_validate_json(card_path(weights).read_bytes())
        if card.weights_digest != file_digest(weights):
            raise ValueError("the digest differs from the one in its card")
        module.load_state_dict(load_file(weights))
    except (OSError, ValueError, ValidationError, SafetensorError, RuntimeError) as error:
        log.warning("%s: cannot be used (%s); the classifier is trained again", weights, error)
        return None
    return card


def _write(module: Classifier, weights: Path, real: RealImages, epochs: int, accuracy: float) -> Card:
    """Weights first, their card second: weights without their own card are not used."""
    require_space(weights.parent)
    with atomic_path(weights) as temporary:
        save_file({name: value.cpu().contiguous() for name, value in module.state_dict().items()}, temporary)
    card = Card(
        held_out_accuracy=accuracy,
        epochs=epochs,
        classes=real.classes,
        real=f"{real.name}:{len(real.images)}:{real.digest}",
        architecture=ARCHITECTURE,
        weights_digest=file_digest(weights),
    )
    write_text(card_path(weights), card.model_dump_json(indent=2) + "\n")
    return card
