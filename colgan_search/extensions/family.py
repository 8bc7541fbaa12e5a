"""What the networks of a base GAN must offer (see `extensions.networks.Network`)."""

from abc import ABC, abstractmethod
from collections.abc import Collection

from torch import Tensor, nn

from colgan_search.extensions.transfers import Maps


class GeneratorNetwork(nn.Module, ABC):
    """A generator whose layers, numbered from 1 (the coarsest), hand out their feature maps."""

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

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, S, S] in [-1, 1] -> logits [N, k+1]."""
        return self.forward_with_maps(images, ())[0]

    @abstractmethod
    def forward_with_maps(
        self, images: Tensor, layers: Collection[int], maps: Maps = "activation"
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """The logits, and layer number -> feature map [N, C_m, H_m, W_m] of each layer asked for, as a generator's."""
