"""The judges of generated images: an extractor turns images into features (for FID) and logits (for IS)."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from colgan_search.config import EvaluationSettings
from colgan_search.errors import PluginError
from colgan_search.evaluation.classifier_card import Card
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.files import never
from colgan_search.images import RealImages
from colgan_search.records import ShouldStop

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase  # it imports for more than a second

FIRST_WITH_TF32 = (8, 0)
"""Compute capability of the first GPUs that have it (Ampere)."""


@dataclass(frozen=True)
class Extractor:
    """A torch-fidelity feature extractor on a device, with the name and digest that go into the protocol."""

    name: str
    weights_digest: str
    module: "FeatureExtractorBase"
    colour_only: bool
    """True = the module takes 3 channels, and grey images are repeated."""
    card: Card | None = None
    """Of the classifier; None for another extractor."""
    group: int | None = None
    """Images that go through the module at once, where a larger batch would be slower; None = the whole batch."""

    @property
    def accuracy(self) -> float | None:
        """The classifier's held-out accuracy, 0..1; None for another extractor."""
        return None if self.card is None else self.card.held_out_accuracy

    @property
    def device(self) -> torch.device:
        """Where the module's weights are."""
        return torch.device(next(self.module.parameters()).device)

    @property
    def dtype(self) -> str:
        """`float32`: of the module's weights."""
        return str(next(self.module.parameters()).dtype).removeprefix("torch.")

    @property
    def tf32(self) -> bool:
        """True = on this device PyTorch may round a convolution's or a product's factors to TensorFloat-32."""
        device = self.device
        if device.type != "cuda" or torch.cuda.get_device_capability(device) < FIRST_WITH_TF32:
            return False
        return torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 [N, 1 or 3, S, S] on the module's device -> features [N, F], logits [N, classes], float32."""
        if self.colour_only and images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        with torch.no_grad():
            layers = self.module.convert_features_tuple_to_dict(self.module(images))
        layer_for = self.module.get_default_feature_layer_for_metric
        return layers[layer_for("fid")], layers[layer_for("isc")]


def load_extractor(
    settings: EvaluationSettings,
    real: RealImages,
    cache: Path,
    device: torch.device,
    should_stop: ShouldStop = never,
) -> Extractor:
    """The extractor that `settings.extractor` names, on `device`, in eval mode.

    torch's global random state stays as it was. DataError if its weights cannot be had, or are others;
    Interrupted if `should_stop` turns true while the classifier is trained here or by another worker; PluginError if
    another package's member makes no extractor.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        found = EXTRACTORS.get(settings.extractor).load(settings, real, cache, device, should_stop)
    if not isinstance(found, Extractor):
        raise PluginError(
            f"the extractor {settings.extractor!r} gave a {type(found).__name__}, where an Extractor is wanted"
        )
    return found
