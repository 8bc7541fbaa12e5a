"""An extractor: `random-features`, a convolution with fixed random weights; quick, and for a demonstration only."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from colgan_search.extensions.extractors import ExtractorKind
from colgan_search.extensions.section import Section


class RandomFeaturesSettings(Section):
    """Its size."""

    classes: int = Field(8, ge=2, description="logits")


class RandomFeatures(ExtractorKind):
    """Features of a random network tell images apart, if roughly."""

    name = "random-features"
    settings = RandomFeaturesSettings

    def load(self, settings: Any, real: Any, cache: Path, device: Any, should_stop: Callable[[], bool]) -> Any:
        """See `ExtractorKind.load`: torch-fidelity's form of an extractor, and a digest of its weights."""
        import torch
        from torch import nn
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase

        from colgan_search.evaluation.extractors import Extractor

        class Network(FeatureExtractorBase):  # type: ignore[misc]  # torch-fidelity has no type hints
            def __init__(self, channels: int, classes: int) -> None:
                super().__init__("random-features", list(self.get_provided_features_list()))
                self.convolution = nn.Conv2d(channels, 32, 5, 3)
                self.last = nn.Linear(32, classes)

            def forward(self, images: Any) -> Any:
                features = self.convolution(images.float() / 255).relu().mean((2, 3))
                return features, self.last(features)

            @staticmethod
            def get_provided_features_list() -> tuple[str, ...]:
                return "features", "logits"

            @staticmethod
            def get_default_feature_layer_for_metric(metric: str) -> str:
                return "logits" if metric == "isc" else "features"

            @staticmethod
            def can_be_compiled() -> bool:
                return False

        torch.manual_seed(0)  # the caller keeps the global random state
        network = Network(real.images.shape[1], settings.extractor_settings.classes).to(device).eval()
        weights = b"".join(value.cpu().numpy().tobytes() for value in network.state_dict().values())
        return Extractor(self.name, hashlib.sha256(weights).hexdigest()[:16], network, colour_only=False)


RANDOM_FEATURES = RandomFeatures()
