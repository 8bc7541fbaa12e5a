"""What a base GAN must offer: the module-level functions of `colgan_search/gan/networks/<name>.py`."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Literal, Protocol

from torch import Tensor, nn

from colgan_search.config import NetworkSettings

Maps = Literal["activation", "convolution"]


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


class Family(Protocol):
    """One base GAN. `build_generator` and `build_discriminator` call these with a seeded random state."""

    def check(self, settings: NetworkSettings, size: int, channels: int, layers: Collection[int]) -> None:
        """ConfigError if images [channels, size, size] cannot be made, or the generator lacks one of `layers`."""

    def generator(self, settings: NetworkSettings, size: int, channels: int) -> GeneratorNetwork:
        """A freshly initialised generator of images [channels, size, size]."""

    def discriminator(self, settings: NetworkSettings, size: int, channels: int, outputs: int) -> nn.Module:
        """A freshly initialised discriminator: images [N, channels, size, size] -> logits [N, outputs]."""
