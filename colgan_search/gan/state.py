"""Everything that a training changes as it goes, and its way into a checkpoint and back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from colgan_search.config import NetworkSettings, TrainingSettings
from colgan_search.gan.family import GeneratorNetwork
from colgan_search.gan.networks import build_discriminator, build_generator
from colgan_search.seeds import derive_seed

_Network = TypeVar("_Network", bound=nn.Module)

LAYOUT = torch.channels_last
"""Memory layout of weights and images: quicker on GPUs, the same on the CPU."""


@dataclass
class TrainingState:
    """Networks, optimizers, random states and progress of one training."""

    generators: list[GeneratorNetwork]  # G_1..G_k at index 0..k-1
    discriminator: nn.Module  # k + 1 outputs
    generator_optimizers: list[torch.optim.Optimizer]  # one per generator
    discriminator_optimizer: torch.optim.Optimizer
    own_z: torch.Generator  # draws each generator's own z of the discriminator phase
    shared_z: torch.Generator  # draws the one z of the generator phase
    averages: list[AveragedModel]  # exponential moving averages of the generators; empty without training.ema
    epochs: int  # E
    iterations_per_epoch: int
    iteration: int = 0  # iterations finished, 0..T
    reported: int = 0  # epochs that `on_epoch` has seen, 0..E
    extra: dict[str, Any] = field(default_factory=dict)  # the caller's plain data and tensors, kept in the checkpoint

    @property
    def iterations(self) -> int:
        """T, the iterations of all epochs together."""
        return self.epochs * self.iterations_per_epoch

    @property
    def epoch(self) -> int:
        """Epochs finished, 0..E."""
        return self.iteration // self.iterations_per_epoch

    @property
    def k(self) -> int:
        """The number of generators."""
        return len(self.generators)

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.discriminator.parameters()).device

    def train_mode(self) -> None:
        """Every network in train mode, as all of training needs it (the discriminator's power iterations too)."""
        for network in (*self.generators, self.discriminator):
            network.train()

    def to_checkpoint(self) -> dict[str, Any]:
        """All of it as tensors and plain values."""
        return {
            "generators": [network.state_dict() for network in self.generators],
            "discriminator": self.discriminator.state_dict(),
            "generator_optimizers": [optimizer.state_dict() for optimizer in self.generator_optimizers],
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            "own_z": self.own_z.get_state(),
            "shared_z": self.shared_z.get_state(),
            "averages": [average.state_dict() for average in self.averages],
            "progress": [self.iteration, self.reported],
            "extra": self.extra,
        }

    def restore(self, data: dict[str, Any]) -> None:
        """Puts `to_checkpoint`'s data back into a state that was made with the same settings."""
        for network, weights in zip(self.generators, data["generators"], strict=True):
            network.load_state_dict(weights)
        self.discriminator.load_state_dict(data["discriminator"])
        for optimizer, moments in zip(self.generator_optimizers, data["generator_optimizers"], strict=True):
            optimizer.load_state_dict(moments)
        self.discriminator_optimizer.load_state_dict(data["discriminator_optimizer"])
        self.own_z.set_state(data["own_z"])
        self.shared_z.set_state(data["shared_z"])
        for average, weights in zip(self.averages, data["averages"], strict=True):
            average.load_state_dict(weights)
        self.iteration, self.reported = data["progress"]
        self.extra = data["extra"]


def new_state(
    k: int,
    network: NetworkSettings,
    training: TrainingSettings,
    *,
    size: int,
    channels: int,
    iterations_per_epoch: int,
    seed: int,
    device: torch.device,
) -> TrainingState:
    """k generators and a discriminator for images [channels, size, size], all in train mode on `device`.

    Every weight and every later random number follows from `seed`.
    """
    generators = [
        _place(build_generator(network, size=size, channels=channels, seed=derive_seed(seed, "generator", i)), device)
        for i in range(1, k + 1)
    ]
    discriminator = _place(
        build_discriminator(
            network, size=size, channels=channels, outputs=k + 1, seed=derive_seed(seed, "discriminator")
        ),
        device,
    )
    return TrainingState(
        generators=generators,
        discriminator=discriminator,
        generator_optimizers=[_adam(network, training) for network in generators],
        discriminator_optimizer=_adam(discriminator, training),
        own_z=torch.Generator().manual_seed(derive_seed(seed, "own z")),
        shared_z=torch.Generator().manual_seed(derive_seed(seed, "shared z")),
        averages=[_average(network, training.ema) for network in generators if training.ema is not None],
        epochs=training.epochs,
        iterations_per_epoch=iterations_per_epoch,
    )


def draw_z(random: torch.Generator, batch: int, z: int, device: torch.device) -> Tensor:
    """z [batch, z] from N(0, 1). Drawn on the CPU, so that a seed means the same numbers on every device."""
    pinned = device.type == "cuda"  # else the copy would wait for the GPU
    return torch.randn(batch, z, generator=random, pin_memory=pinned).to(device, non_blocking=True)


def _place(network: _Network, device: torch.device) -> _Network:
    """Moved to `device`, in LAYOUT and in train mode."""
    return network.to(device).to(memory_format=LAYOUT).train()


def _average(network: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights and of batch norm's statistics, as PyTorch makes it."""
    average: Callable[..., Any] = get_ema_multi_avg_fn  # it has no annotations of its own
    return AveragedModel(network, multi_avg_fn=average(decay), use_buffers=True)


def _adam(network: nn.Module, training: TrainingSettings) -> torch.optim.Optimizer:
    """Adam in PyTorch's fused form."""
    return torch.optim.Adam(network.parameters(), lr=training.learning_rate, betas=training.betas, fused=True)
