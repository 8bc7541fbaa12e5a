"""A base GAN: `mlp`, two fully connected layers each, for images of any size."""

from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field

from colgan_search.extensions.networks import Network, NetworkSettings


class MlpSettings(NetworkSettings):
    """Its width."""

    name: Literal["mlp"] = "mlp"
    hidden: int = Field(128, ge=1, le=4096, description="units of the hidden layer")


class Mlp(Network):
    """PyTorch is imported when a network is built: configs are read without it."""

    name = "mlp"
    settings = MlpSettings

    def check(self, settings: MlpSettings, size: int, channels: int) -> None:
        """Every size will do."""

    def generator_layers(self, settings: MlpSettings, size: int) -> Collection[int]:
        """The image alone."""
        return (1,)

    def discriminator_layers(self, settings: MlpSettings, size: int) -> Collection[int]:
        """None has the form of an image."""
        return ()

    def generator(self, settings: MlpSettings, size: int, channels: int) -> Any:
        """z [N, Z] -> images [N, channels, size, size]."""
        from torch import nn

        from colgan_search.extensions.family import GeneratorNetwork

        class Generator(GeneratorNetwork):
            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.Sequential(
                    nn.Linear(settings.z, settings.hidden),
                    nn.ReLU(),
                    nn.Linear(settings.hidden, channels * size * size),
                    nn.Tanh(),
                    nn.Unflatten(1, (channels, size, size)),
                )

            def forward_with_maps(self, z: Any, layers: Collection[int], maps: Any = "activation") -> Any:
                images = self.layers(z)
                return images, dict.fromkeys(layers, images)

        return Generator()

    def discriminator(self, settings: MlpSettings, size: int, channels: int, outputs: int) -> Any:
        """Images -> logits [N, outputs]."""
        from torch import nn

        from colgan_search.extensions.family import DiscriminatorNetwork

        class Discriminator(DiscriminatorNetwork):
            def __init__(self) -> None:
                super().__init__()
                self.layers = nn.Sequential(
                    nn.Flatten(),
                    nn.Linear(channels * size * size, settings.hidden),
                    nn.LeakyReLU(0.2),
                    nn.Linear(settings.hidden, outputs),
                )

            def forward_with_maps(self, images: Any, layers: Collection[int], maps: Any = "activation") -> Any:
                return self.layers(images), {}

        return Discriminator()


MLP = Mlp()
