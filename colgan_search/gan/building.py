"""The networks of a training, from a base GAN's name and a seed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from colgan_search.config import NetworkSettings, TransferSettings
from colgan_search.errors import ConfigError
from colgan_search.extensions.family import DiscriminatorNetwork, GeneratorNetwork
from colgan_search.extensions.networks import NETWORKS
from colgan_search.extensions.transfers import TRANSFERS
from colgan_search.roster import EdgeKind


def check_settings(
    network: NetworkSettings,
    transfer: TransferSettings,
    discriminator_transfer: TransferSettings | None,
    *,
    size: int,
    channels: int,
) -> None:
    """ConfigError if the base GAN cannot make such images, or its networks lack what a transfer kind compares."""
    base = NETWORKS.get(network.name)
    base.check(network, size, channels)
    for key, edges, settings, known, what in (
        ("transfer", EdgeKind.TRANSFER, transfer, base.generator_layers(network, size), "generator"),
        (
            "discriminator_transfer",
            EdgeKind.DISCRIMINATOR_TRANSFER,
            discriminator_transfer,
            base.discriminator_layers(network, size),
            "discriminator",
        ),
    ):
        if settings is None:
            continue
        kind = TRANSFERS.get(settings.kind)
        if edges not in kind.edges:
            fitting = ", ".join(name for name in TRANSFERS.names() if edges in TRANSFERS.get(name).edges)
            raise ConfigError(f"{key}.kind: {settings.kind} is not for edges among {what}s; these are: {fitting}")
        kind.check(settings, edges)
        missing = sorted(set(kind.layers(settings)) - set(known))
        if missing:
            raise ConfigError(
                f"{key}.layers: {missing} are not allowed: the {network.name} {what} for {size} x {size} pixels "
                f"has the layers {min(known)}..{max(known)}"
            )


def build_generator(settings: NetworkSettings, *, size: int, channels: int, seed: int) -> GeneratorNetwork:
    """A generator z [N, settings.z] -> images [N, channels, size, size]; its weights follow from `seed` alone."""
    with _seeded(seed):
        return NETWORKS.get(settings.name).generator(settings, size, channels)


def build_discriminator(
    settings: NetworkSettings, *, size: int, channels: int, outputs: int, seed: int
) -> DiscriminatorNetwork:
    """A discriminator images -> logits [N, outputs], outputs = k + 1; its weights follow from `seed` alone."""
    with _seeded(seed):
        return NETWORKS.get(settings.name).discriminator(settings, size, channels, outputs)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """PyTorch's CPU random state set from `seed` inside, and as it was afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield
