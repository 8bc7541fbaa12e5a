"""`features`: attention maps of chosen layers (equations 3 and 4), of generators or of discriminators."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from colgan_search.errors import ConfigError
from colgan_search.extensions.transfers import Maps, Transfer
from colgan_search.gan.transfers.paper import PaperTransferSettings
from colgan_search.roster import EdgeKind

if TYPE_CHECKING:
    from torch import Tensor


class FeatureTransferSettings(PaperTransferSettings):
    """At least one layer, each once."""

    kind: Literal["features"] = "features"

    @model_validator(mode="after")
    def _has_layers(self) -> "FeatureTransferSettings":
        if not self.layers:
            raise ValueError("feature transfer needs layers, e.g. [3, 4]")
        if len(set(self.layers)) != len(self.layers):
            raise ValueError("layers has a number twice")
        return self


class FeatureTransfer(Transfer):
    """Equation 4, on attention maps by equation 3."""

    name = "features"
    settings = FeatureTransferSettings
    edges = frozenset({EdgeKind.TRANSFER, EdgeKind.DISCRIMINATOR_TRANSFER})

    def check(self, settings: FeatureTransferSettings, edges: EdgeKind) -> None:
        """Discriminators teach without a gradient (our reading)."""
        if edges is EdgeKind.DISCRIMINATOR_TRANSFER and not settings.detach_teacher:
            raise ConfigError(
                "discriminator_transfer.detach_teacher: False is not allowed: no gradient goes into a discriminator "
                "that teaches"
            )

    def layers(self, settings: FeatureTransferSettings) -> Sequence[int]:
        """The settings' own."""
        return settings.layers

    def maps(self, settings: FeatureTransferSettings) -> Maps:
        """The settings' own."""
        return settings.maps

    def describe(self, settings: FeatureTransferSettings) -> Sequence[str]:
        """With its layers in a second line."""
        layers = ", ".join(map(str, settings.layers))
        return ["feature transfer", f"{'layer' if len(settings.layers) == 1 else 'layers'} {layers}"]

    def view(self, settings: FeatureTransferSettings, output: "Tensor", maps: Mapping[int, "Tensor"]) -> list["Tensor"]:
        """One attention map [N, H_m*W_m] per layer."""
        from colgan_search.losses import attention_map

        return [attention_map(maps[layer]) for layer in settings.layers]

    def loss(self, settings: FeatureTransferSettings, student: list["Tensor"], teacher: list["Tensor"]) -> "Tensor":
        """Equation 4 without its gate."""
        from colgan_search.losses import feature_transfer_loss

        return feature_transfer_loss(student, teacher, **settings.weighing)


FEATURES = FeatureTransfer()
