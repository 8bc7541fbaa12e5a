"""Transfer kinds: what a student learns from a teacher along a transfer edge (section 3.3.2).

Built in: `features` (equations 3 and 4), `image` (equation 5), `outputs` (class outputs, between discriminators only).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry
from colgan_search.roster import EdgeKind

if TYPE_CHECKING:
    from torch import Tensor

Maps = Literal["activation", "convolution"]


class TransferSettings(Section):
    """The settings that every transfer kind has."""

    kind: str


class Transfer(ABC):
    """One transfer kind. Student and teacher have seen the same batch: the same z, or the same images."""

    name: ClassVar[str]
    settings: ClassVar[type[TransferSettings]]
    edges: ClassVar[frozenset[EdgeKind]] = frozenset({EdgeKind.TRANSFER})
    """The kinds of edges that it can be used on."""

    def check(self, settings: Any, edges: EdgeKind) -> None:
        """ConfigError if the settings do not fit edges of this kind, which is one of `edges`."""
        return

    def layers(self, settings: Any) -> Sequence[int]:
        """The layers, from 1, whose feature maps `view` is given."""
        return ()

    def maps(self, settings: Any) -> Maps:
        """Which feature maps: after the activation, or the convolution's output before norm and activation."""
        return "activation"

    def describe(self, settings: Any) -> Sequence[str]:
        """What a figure calls it, line by line."""
        return [f"{self.name} transfer"]

    @abstractmethod
    def view(self, settings: Any, output: "Tensor", maps: Mapping[int, "Tensor"]) -> Any:
        """What is compared, computed once per network and batch.

        `output`: a generator's images [N, C, S, S] in [-1, 1], or a discriminator's logits [N, k+1]. `maps`: layer ->
        feature map [N, C_m, H_m, W_m].
        """

    @abstractmethod
    def loss(self, settings: Any, student: Any, teacher: Any) -> "Tensor":
        """The loss, a scalar averaged over the batch, without its gate, of two views. The teacher is detached here."""


TRANSFERS: Registry[Transfer] = Registry(
    "transfer kind",
    "colgan_search.transfers",
    Transfer,  # type: ignore[type-abstract]
    {
        "features": "colgan_search.gan.transfers.features:FEATURES",
        "image": "colgan_search.gan.transfers.image:IMAGE",
        "outputs": "colgan_search.gan.transfers.outputs:OUTPUTS",
    },
)
