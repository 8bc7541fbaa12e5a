"""The base GANs, one module each (see `gan.family.Family`), found by `NetworkSettings.name`."""

import pkgutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import cast

import torch
from torch import nn

from colgan_search.config import NetworkSettings
from colgan_search.errors import ConfigError
from colgan_search.gan.family import Family, GeneratorNetwork


def known_networks() -> tuple[str, ...]:
    """The names of all base GANs: the modules of this folder."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def check_network(settings: NetworkSettings, *, size: int, channels: int, layers: Collection[int] = ()) -> None:
    """ConfigError if there is no such base GAN, or it cannot make such images or has no such generator layers."""
    _family(settings).check(settings, size, channels, layers)


def build_generator(settings: NetworkSettings, *, size: int, channels: int, seed: int) -> GeneratorNetwork:
    """A generator z [N, settings.z] -> images [N, channels, size, size]; its weights follow from `seed` alone."""
    with _seeded(seed):
        return _family(settings).generator(settings, size, channels)


def build_discriminator(settings: NetworkSettings, *, size: int, channels: int, outputs: int, seed: int) -> nn.Module:
    """A discriminator images -> logits [N, outputs], outputs = k + 1; its weights follow from `seed` alone."""
    with _seeded(seed):
        return _family(settings).discriminator(settings, size, channels, outputs)


def _family(settings: NetworkSettings) -> Family:
    if settings.name not in known_networks():
        raise ConfigError(f"network.name: unknown network {settings.name!r}; known are: {', '.join(known_networks())}")
    return cast(Family, import_module(f"{__name__}.{settings.name}"))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyTorch's CPU random state set from `seed` inside, and as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
