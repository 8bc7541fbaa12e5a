"""What the networks of a base GAN must offer (see `extensions.networks.Network`)."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from torch import Tensor, nn

from colgan_search.extensions.fast import USUAL
from colgan_search.extensions.transfers import Maps


class GeneratorNetwork(nn.Module, ABC):
    """A generator whose layers, numbered from 1 (the coarsest), hand out their feature maps."""

    fast = USUAL
    """What may be computed in a faster way; a network that knows of none leaves it alone."""

    def forward(self, z: Tensor) -> Tensor:
        """z [N, Z] from N(0, 1) -> images [N, C, S, S] in [-1, 1]."""
        return self.forward_with_maps(z, ())[0]

    @abstractmethod
    def forward_with_maps(
        self, z: Tensor, layers: Collection[int], maps: Maps = "activation"
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """The images, and layer number -> feature map [N, C_m, H_m, W_m] of each layer asked for.

        `maps`: after the layer's activation, or its convolution's output before norm and activation.
        """


class DiscriminatorNetwork(nn.Module, ABC):
    """A discriminator whose layers, numbered from 1 (the finest), hand out their feature maps."""

    fast = USUAL
    """As a generator's."""

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, S, S] in [-1, 1] -> logits [N, k+1]."""
        return self.forward_with_maps(images, ())[0]

    @abstractmethod
    def forward_with_maps(
        self, images: Tensor, layers: Collection[int], maps: Maps = "activation"
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """The logits, and layer number -> feature map [N, C_m, H_m, W_m] of each layer asked for, as a generator's."""

    def forward_batches(self, batches: Sequence[Tensor]) -> list[Tensor]:
        """The logits of each batch, as if one were shown after the other: norms know nothing of the other batches."""
        return [self(images) for images in batches]
