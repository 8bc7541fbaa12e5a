"""Everything that a training changes as it goes, and its way into a checkpoint and back."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from colgan_search.config import FastSettings, NetworkSettings, TrainingSettings
from colgan_search.extensions.family import DiscriminatorNetwork, GeneratorNetwork
from colgan_search.extensions.fast import USUAL
from colgan_search.gan.adam import Adam
from colgan_search.gan.building import build_discriminator, build_generator
from colgan_search.gan.precision import computing
from colgan_search.roster import Node, Roster
from colgan_search.seeds import derive_seed

_Network = TypeVar("_Network", GeneratorNetwork, DiscriminatorNetwork)

AVERAGED = "module."
"""Before every name in the state of PyTorch's AveragedModel, but for its counter."""


@dataclass
class TrainingState:
    """Networks, optimizers, random states and progress of one training."""

    roster: Roster
    generators: list[GeneratorNetwork]  # G_1..G_k at index 0..k-1
    discriminators: list[DiscriminatorNetwork]  # D, or D_1..D_m at index 0..m-1; k + 1 outputs each
    generator_optimizers: list[Adam]  # one per generator, or one for all (`fast.one_adam`)
    discriminator_optimizers: list[Adam]  # one per discriminator
    own_z: list[torch.Generator]  # per discriminator: draws each generator's own z of the discriminator phase
    shared_z: torch.Generator  # draws the one z of the generator phase
    averages: list[AveragedModel]  # exponential moving averages of the generators; empty without training.ema
    epochs: int  # E
    iterations_per_epoch: int
    precision: str = "float32"  # `training.precision`
    fallback: str | None = None  # why it is not computed as was asked for; None if it is
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

    @cached_property
    def device(self) -> torch.device:
        """Where the networks live."""
        return next(self.discriminators[0].parameters()).device

    @cached_property
    def _discriminator_weights(self) -> list[nn.Parameter]:
        """Found once: looking through the modules takes as long as a small layer."""
        return [weight for network in self.discriminators for weight in network.parameters()]

    def discriminators_learn(self, learn: bool) -> None:
        """Whether the discriminators' weights get gradients."""
        for weight in self._discriminator_weights:
            weight.requires_grad_(learn)

    def discriminator(self, node: Node) -> DiscriminatorNetwork:
        """The network of D, or of D1..Dm."""
        return self.discriminators[node.index]

    def computing(self) -> AbstractContextManager[object]:
        """Around what a network computes in a training (see `precision`)."""
        return computing(self.precision, self.device)

    def train_mode(self) -> None:
        """Every network in train mode, as all of training needs it (the discriminator's power iterations too)."""
        for network in (*self.generators, *self.discriminators):
            network.train()

    def to_checkpoint(self) -> dict[str, Any]:
        """All of it as tensors and plain values."""
        return {
            "generators": [network.state_dict() for network in self.generators],
            "discriminators": [network.state_dict() for network in self.discriminators],
            "generator_optimizers": self._moments_by_generator(),
            "discriminator_optimizers": [optimizer.state_dict() for optimizer in self.discriminator_optimizers],
            "own_z": [random.get_state() for random in self.own_z],
            "shared_z": self.shared_z.get_state(),
            "averages": [average.state_dict() for average in self.averages],
            "progress": [self.iteration, self.reported],
            "extra": self.extra,
        }

    def _moments_by_generator(self) -> list[dict[str, Any]]:
        """One optimizer's state per generator, also where one optimizer has them all: a checkpoint fits either."""
        saved = [optimizer.state_dict() for optimizer in self.generator_optimizers]
        if len(saved) == self.k:
            return saved
        parts, begin = [], 0
        for count in (len(list(network.parameters())) for network in self.generators):
            state = {i: saved[0]["state"][begin + i] for i in range(count) if begin + i in saved[0]["state"]}
            group = {**saved[0]["param_groups"][0], "params": list(range(count))}
            parts.append({"state": state, "param_groups": [group]})
            begin += count
        return parts

    def restore(self, data: dict[str, Any]) -> None:
        """Puts `to_checkpoint`'s data back into a state that was made with the same settings."""
        networks = [*self.generators, *self.discriminators]
        for network, weights in zip(networks, [*data["generators"], *data["discriminators"]], strict=True):
            network.load_state_dict(weights)
        optimizers = [*self.generator_optimizers, *self.discriminator_optimizers]
        of_generators = data["generator_optimizers"]
        if len(self.generator_optimizers) < self.k:
            of_generators = [_as_one(of_generators)]
        saved = [*of_generators, *data["discriminator_optimizers"]]
        for optimizer, moments in zip(optimizers, saved, strict=True):
            capturable = optimizer.defaults["capturable"]
            optimizer.load_state_dict(moments)
            optimizer.param_groups[0]["capturable"] = capturable  # how it is computed here, not where it was saved
        for random, random_state in zip(self.own_z, data["own_z"], strict=True):
            random.set_state(random_state)
        self.shared_z.set_state(data["shared_z"])
        for average, weights in zip(self.averages, data["averages"], strict=True):
            average.load_state_dict(weights)
        self.iteration, self.reported = data["progress"]
        self.extra = data["extra"]


def _as_one(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The state of one optimizer over what several have had."""
    state, begin = {}, 0
    for part in parts:
        state.update({begin + i: moments for i, moments in part["state"].items()})
        begin += len(part["param_groups"][0]["params"])
    return {"state": state, "param_groups": [{**parts[0]["param_groups"][0], "params": list(range(begin))}]}


def generators_in(data: dict[str, Any], ema: bool) -> tuple[int, list[dict[str, Tensor]]]:
    """The iteration and G1..Gk's states in what `to_checkpoint` has kept, or those of their averages, if there are.

    KeyError, TypeError, AttributeError, IndexError or ValueError if it is of something else.
    """
    averages = [
        {name.removeprefix(AVERAGED): value for name, value in average.items() if name.startswith(AVERAGED)}
        for average in data["averages"]
    ]
    return int(data["progress"][0]), averages if ema else list(data["generators"])


def new_state(
    roster: Roster,
    network: NetworkSettings,
    training: TrainingSettings,
    *,
    size: int,
    channels: int,
    iterations_per_epoch: int,
    seed: int,
    device: torch.device,
    fast: FastSettings = USUAL,
) -> TrainingState:
    """The roster's generators and discriminators for images [channels, size, size], all in train mode on `device`.

    Every weight and every later random number follows from `seed`.
    """
    generators = [
        _place(
            build_generator(network, size=size, channels=channels, seed=derive_seed(seed, "generator", node.number)),
            device,
            fast,
        )
        for node in roster.generator_nodes
    ]
    discriminators = [
        _place(
            build_discriminator(
                network,
                size=size,
                channels=channels,
                outputs=len(generators) + 1,
                seed=node_seed(seed, "discriminator", node),
            ),
            device,
            fast,
        )
        for node in roster.discriminator_nodes
    ]
    captured = fast.cuda_graph and device.type == "cuda"
    return TrainingState(
        roster=roster,
        generators=generators,
        discriminators=discriminators,
        generator_optimizers=[
            _adam(those, training, captured)
            for those in ([generators] if fast.one_adam else [[one] for one in generators])
        ],
        discriminator_optimizers=[_adam([network], training, captured) for network in discriminators],
        own_z=[torch.Generator().manual_seed(node_seed(seed, "own z", node)) for node in roster.discriminator_nodes],
        shared_z=torch.Generator().manual_seed(derive_seed(seed, "shared z")),
        averages=[_average(network, training.ema) for network in generators if training.ema is not None],
        epochs=training.epochs,
        iterations_per_epoch=iterations_per_epoch,
        precision=training.precision,
    )


def node_seed(seed: int, what: str, node: Node, *more: int) -> int:
    """The seed of something of one discriminator; the only one's does not depend on how many there might be."""
    return derive_seed(seed, what, *([node.name] if node.number else []), *more)


def draw_z(random: torch.Generator, batch: int, z: int, device: torch.device) -> Tensor:
    """z [batch, z] from N(0, 1). Drawn on the CPU, so that a seed means the same numbers on every device."""
    pinned = device.type == "cuda"  # else the copy would wait for the GPU
    return torch.randn(batch, z, generator=random, pin_memory=pinned).to(device, non_blocking=True)


def layout(fast: FastSettings) -> torch.memory_format:
    """Of weights and images in memory."""
    return torch.channels_last if fast.channels_last else torch.contiguous_format


def _place(network: _Network, device: torch.device, fast: FastSettings) -> _Network:
    """Moved to `device`, in its layout and in train mode, computing as `fast` says."""
    network.fast = fast
    return network.to(device).to(memory_format=layout(fast)).train()


def _average(network: nn.Module, decay: float) -> AveragedModel:
    """A moving average of the weights and of batch norm's statistics, as PyTorch makes it."""
    average: Callable[..., Any] = get_ema_multi_avg_fn  # it has no annotations of its own
    return AveragedModel(network, multi_avg_fn=average(decay), use_buffers=True)


def _adam(networks: Sequence[nn.Module], training: TrainingSettings, captured: bool) -> Adam:
    """Adam in PyTorch's fused form; what got no gradient is left alone, its moments too.

    `captured`: its steps may be recorded in a CUDA graph.
    """
    weights = [weight for network in networks for weight in network.parameters()]
    return Adam(weights, lr=training.learning_rate, betas=training.betas, fused=True, capturable=captured)
