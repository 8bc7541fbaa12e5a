"""The `inception` extractor: torch-fidelity's port of the original InceptionV3, its weights checked first."""

from pathlib import Path
from typing import Any

import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.utils import create_feature_extractor

from colgan_search.downloading import fetch, needed
from colgan_search.errors import DataError, first_line
from colgan_search.evaluation import inception_file
from colgan_search.files import file_digest, never
from colgan_search.records import ShouldStop

REGISTERED_NAME = "inception-v3-compat"
"""torch-fidelity's name for it."""


def load_inception(
    weights: Path | None = None, should_stop: ShouldStop = never
) -> tuple[FeatureExtractorInceptionV3, str]:
    """InceptionV3 on the CPU in eval mode, and the first 16 digits of the SHA-256 of its weights file.

    `weights` None = the file in torch's hub cache, downloaded there (91 MB) if it is missing.
    Its features are [N, 2048], its logits [N, 1008] without bias. Takes uint8 [N, 3, S, S] of any S.
    DataError if the file is missing, cannot be downloaded, holds anything but tensors, or is not InceptionV3.
    """
    if weights is None:
        weights = inception_file.hub_path()
        if not weights.exists():
            with needed("the Inception weights", _remedy()):
                fetch(inception_file.WEIGHTS, weights.parent, should_stop=should_stop)
    if not weights.is_file():
        raise DataError(f"{weights}: no such file of Inception weights; {_remedy()}")
    _require_tensors_only(weights)
    layers = [FeatureExtractorInceptionV3.get_default_feature_layer_for_metric(metric) for metric in ("fid", "isc")]
    try:
        module: FeatureExtractorInceptionV3 = create_feature_extractor(
            REGISTERED_NAME, layers, cuda=False, feature_extractor_weights_path=str(weights), verbose=False
        )
    except (RuntimeError, TypeError) as error:
        reason = first_line(error)
        raise DataError(f"{weights}: not the weights of torch-fidelity's InceptionV3: {reason}; {_remedy()}") from error
    return module, file_digest(weights)


def _require_tensors_only(path: Path) -> None:
    """DataError unless the file is a dictionary of tensors. Nothing in the file is executed to find out."""
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling garbage can raise almost anything
        # PyTorch's own words would advise to unpickle the file all the same.
        raise DataError(
            f"{path}: refused as Inception weights: cut short, not a PyTorch file, or holding more than "
            f"tensors; {_remedy()}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise DataError(f"{path}: refused as Inception weights: not a dictionary of tensors; {_remedy()}")


def _remedy() -> str:
    return (
        f"download {inception_file.WEIGHTS.address} on a machine with internet, and put it at "
        f"{inception_file.hub_path()} or name its path as evaluation.weights (extractor: classifier needs no download)"
    )
