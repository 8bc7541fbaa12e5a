"""`outputs`: softened class outputs of discriminators, as in deep mutual learning (our reading of the future work)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from colgan_search.extensions.transfers import Transfer, TransferSettings
from colgan_search.roster import EdgeKind

if TYPE_CHECKING:
    from torch import Tensor


class OutputTransferSettings(TransferSettings):
    """The Kullback-Leibler divergence of two discriminators' class outputs."""

    kind: Literal["outputs"] = "outputs"
    alpha: float = Field(1.0, ge=0.0, le=1e9, description="weight of every transfer loss")
    temperature: float = Field(1.0, gt=0.0, le=1e3, description="logits are divided by it before the softmax")


class OutputTransfer(Transfer):
    """A student's classes follow its teacher's."""

    name = "outputs"
    settings = OutputTransferSettings
    edges = frozenset({EdgeKind.DISCRIMINATOR_TRANSFER})

    def view(self, settings: OutputTransferSettings, output: "Tensor", maps: Mapping[int, "Tensor"]) -> "Tensor":
        """The logits."""
        return output

    def loss(self, settings: OutputTransferSettings, student: "Tensor", teacher: "Tensor") -> "Tensor":
        """alpha * T^2 * KL(teacher || student) at temperature T."""
        from colgan_search.losses import output_transfer_loss

        return output_transfer_loss(student, teacher, alpha=settings.alpha, temperature=settings.temperature)


OUTPUTS = OutputTransfer()
