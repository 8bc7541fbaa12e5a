"""`image`: whole generated images, each divided by its norm (equation 5)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from colgan_search.extensions.transfers import Transfer
from colgan_search.gan.transfers.paper import PaperTransferSettings

if TYPE_CHECKING:
    from torch import Tensor


class ImageTransferSettings(PaperTransferSettings):
    """No layers."""

    kind: Literal["image"] = "image"

    @model_validator(mode="after")
    def _has_no_layers(self) -> "ImageTransferSettings":
        if self.layers:
            raise ValueError("image transfer takes no layers; leave them out or set kind: features")
        return self


class ImageTransfer(Transfer):
    """Equation 5."""

    name = "image"
    settings = ImageTransferSettings

    def view(self, settings: ImageTransferSettings, output: "Tensor", maps: Mapping[int, "Tensor"]) -> "Tensor":
        """The images."""
        return output

    def loss(self, settings: ImageTransferSettings, student: "Tensor", teacher: "Tensor") -> "Tensor":
        """Equation 5 without its gate."""
        from colgan_search.losses import image_transfer_loss

        return image_transfer_loss(student, teacher, **settings.weighing)


IMAGE = ImageTransfer()
