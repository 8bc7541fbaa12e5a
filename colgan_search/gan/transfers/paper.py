"""What the paper's two transfer kinds share (equations 4 and 5; alpha: section 4.1; layers: 4.3)."""

from typing import Annotated, Any, Literal

from pydantic import Field

from colgan_search.extensions.transfers import Maps, TransferSettings


class PaperTransferSettings(TransferSettings):
    """The loss of a transfer edge."""

    layers: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        (), description="generator layers (1 = the 4 x 4 one) whose attention maps are compared; features only"
    )
    alpha: float = Field(1000.0, ge=0.0, le=1e9, description="weight of every transfer loss")
    reduction: Literal["mean", "sum"] = Field(
        "mean", description="over a vector's elements; the batch is always averaged (our reading: mean)"
    )
    detach_teacher: bool = Field(True, description="no gradient into the teacher (our reading)")
    maps: Maps = Field(
        "activation", description="feature maps after the activation (our reading) or before norm and activation"
    )

    @property
    def weighing(self) -> dict[str, Any]:
        """How the differences become a loss: the same for equations 4 and 5."""
        return {"alpha": self.alpha, "reduction": self.reduction, "detach_teacher": self.detach_teacher}
