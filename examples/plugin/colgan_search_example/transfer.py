"""A transfer kind: `gram` compares Gram matrices of the generated images' rows, as style transfer does of features."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from colgan_search.extensions.transfers import Transfer, TransferSettings


class GramSettings(TransferSettings):
    """Its weight."""

    kind: Literal["gram"] = "gram"
    alpha: float = Field(1.0, ge=0.0, description="weight of every transfer loss")


class Gram(Transfer):
    """alpha * the mean squared difference of the students' and the teachers' Gram matrices."""

    name = "gram"
    settings = GramSettings

    def view(self, settings: GramSettings, output: Any, maps: Mapping[int, Any]) -> Any:
        """[N, S, S] of images [N, C, S, S]."""
        rows = output.transpose(1, 2).flatten(2)
        return rows @ rows.transpose(1, 2) / rows.shape[2]

    def loss(self, settings: GramSettings, student: Any, teacher: Any) -> Any:
        """The teacher gives no gradient."""
        return settings.alpha * (student - teacher.detach()).square().mean()


GRAM = Gram()
