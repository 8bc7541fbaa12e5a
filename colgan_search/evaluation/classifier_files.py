"""Which images can have a classifier, and where theirs is kept. Imports neither PyTorch nor torch-fidelity."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from colgan_search.errors import DataError
from colgan_search.evaluation.classifier_card import Card, card_path
from colgan_search.file_names import CLASSIFIER_PREFIX

if TYPE_CHECKING:
    from colgan_search.images import RealImages

ARCHITECTURE = 1
"""Raise it whenever the network or its training changes: cached weights of another number are not used."""


def require_classes(real: "RealImages", where: str) -> None:
    """DataError, which names `where` the images are from, unless they have two classes to be told apart."""
    if len(real.classes) < 2:
        raise DataError(
            f"{where}: the classifier needs at least 2 classes, here are {real.counted}; "
            "put the images into one folder per class, or use extractor: inception"
        )


def known_card(real: "RealImages", epochs: int, caches: Iterable[Path]) -> Card | None:
    """What is known of the classifier of these images if one of the folders has it already; nothing is trained."""
    name = file_name(real, epochs)
    for path in (card_path(cache / name) for cache in caches):
        try:
            return Card.model_validate_json(path.read_bytes())
        except (OSError, ValueError):
            continue  # `load_classifier` sees to a broken one
    return None


def file_name(real: "RealImages", epochs: int) -> str:
    """Of the weights of the classifier of these images, trained for so many epochs, in any cache."""
    text = f"{ARCHITECTURE}/{real.digest}/{len(real.classes)}/{epochs}"
    return f"{CLASSIFIER_PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"
