"""Base GANs: the networks that generators and discriminators are built from (section 3.1). Built in: `dcgan`."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry

if TYPE_CHECKING:
    from colgan_search.extensions.family import DiscriminatorNetwork, GeneratorNetwork


class NetworkSettings(Section):
    """The settings that every base GAN has."""

    name: str
    z: int = Field(100, ge=1, le=4096, description="numbers in the latent vector, each from N(0, 1)")


class Network(ABC):
    """One base GAN. Its networks are built with PyTorch's global random state seeded: draw weights from that."""

    name: ClassVar[str]
    settings: ClassVar[type[NetworkSettings]]

    @abstractmethod
    def check(self, settings: Any, size: int, channels: int) -> None:
        """ConfigError, with the key `data.size` or `network...`, if images [channels, size, size] cannot be made."""

    @abstractmethod
    def generator_layers(self, settings: Any, size: int) -> Collection[int]:
        """The generator's layers whose feature maps can be compared, from 1, the coarsest."""

    @abstractmethod
    def discriminator_layers(self, settings: Any, size: int) -> Collection[int]:
        """The discriminator's layers whose feature maps can be compared, from 1, the finest."""

    @abstractmethod
    def generator(self, settings: Any, size: int, channels: int) -> "GeneratorNetwork":
        """A freshly initialised generator of images [channels, size, size]."""

    @abstractmethod
    def discriminator(self, settings: Any, size: int, channels: int, outputs: int) -> "DiscriminatorNetwork":
        """A freshly initialised discriminator: images [N, channels, size, size] -> logits [N, outputs]."""


NETWORKS: Registry[Network] = Registry(
    "network",
    "colgan_search.networks",
    Network,  # type: ignore[type-abstract]
    {"dcgan": "colgan_search.gan.networks.dcgan:DCGAN"},
)
