"""The base GAN `dcgan`: DCGAN (sections 3.1 and 4.1 of the paper) for square images of 8, 16, ... 256 pixels."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from colgan_search.errors import ConfigError
from colgan_search.extensions.networks import Network, NetworkSettings

if TYPE_CHECKING:
    from colgan_search.extensions.family import DiscriminatorNetwork, GeneratorNetwork

SIZES = (8, 16, 32, 64, 128, 256)
"""Heights and widths in pixels that the family makes: 4 * 2^n."""


class DcganSettings(NetworkSettings):
    """DCGAN's width and the discriminator's norm."""

    name: Literal["dcgan"] = "dcgan"
    width: int = Field(64, ge=1, le=1024, description="channels of the widest-resolution hidden layer")
    discriminator_norm: Literal["spectral", "spectral-replacing", "batch"] = Field(
        "spectral",
        description="spectral norm on every convolution (our reading), in place of batch norm only, or batch norm",
    )


class Dcgan(Network):
    """DCGAN; its networks are in `dcgan_modules`."""

    name = "dcgan"
    settings = DcganSettings

    def check(self, settings: DcganSettings, size: int, channels: int) -> None:
        """ConfigError unless `size` is one of SIZES."""
        if size not in SIZES:
            raise ConfigError(
                f"data.size: {size} is not allowed: {self.name} makes images of {', '.join(map(str, SIZES))} pixels"
            )

    def generator_layers(self, settings: DcganSettings, size: int) -> Collection[int]:
        """Five at 64 pixels, 4 at 32, 3 at 16; the last is the image."""
        return range(1, layer_count(size) + 1)

    def discriminator_layers(self, settings: DcganSettings, size: int) -> Collection[int]:
        """All but the last, which gives the logits."""
        return range(1, layer_count(size))

    def generator(self, settings: DcganSettings, size: int, channels: int) -> "GeneratorNetwork":
        """See `dcgan_modules.Generator`."""
        from colgan_search.gan.networks.dcgan_modules import Generator

        return Generator(settings.z, settings.width, layer_count(size), channels)

    def discriminator(self, settings: DcganSettings, size: int, channels: int, outputs: int) -> "DiscriminatorNetwork":
        """See `dcgan_modules.Discriminator`."""
        from colgan_search.gan.networks.dcgan_modules import NORMS, Discriminator

        return Discriminator(settings.width, layer_count(size), channels, outputs, NORMS[settings.discriminator_norm])


def layer_count(size: int) -> int:
    """Layers of either network: 5 at 64 pixels, 4 at 32, 3 at 16."""
    return size.bit_length() - 2


DCGAN = Dcgan()
