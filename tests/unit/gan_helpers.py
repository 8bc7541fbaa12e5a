"""Small studies for the tests of the GAN side, and plain float64 formulas that share no code with the package."""

import hashlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from colgan_search.config import FastSettings, NetworkSettings, RuntimeSettings, TrainingSettings, TransferSettings
from colgan_search.extensions.fast import USUAL
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.state import TrainingState, new_state
from colgan_search.gan.trainer import train
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.image import ImageTransferSettings
from colgan_search.gates import THROUGH, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster

torch.set_num_threads(1)

CPU = torch.device("cpu")
IMAGE = ImageTransferSettings(kind="image", alpha=20.0)
FEATURES = FeatureTransferSettings(kind="features", layers=(1, 2), alpha=50.0)


def network(**changes: Any) -> NetworkSettings:
    """A tiny DCGAN."""
    return DcganSettings(**{"width": 4, "z": 6} | changes)


def training(**changes: Any) -> TrainingSettings:
    """Two epochs of four iterations on `pictures()`."""
    return TrainingSettings(**{"epochs": 2, "batch": 8, "learning_rate": 2e-3} | changes)


def pictures(count: int = 35, channels: int = 1, size: int = 8) -> Tensor:
    """Random images, uint8; 35 leave an incomplete last batch of 3."""
    random = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (count, channels, size, size), generator=random, dtype=torch.uint8)


def all_gates(k: int, gate: Gate = THROUGH) -> KnowledgeTransferGraph:
    """A graph with the same gate on every edge."""
    return KnowledgeTransferGraph(Roster(k), (gate,) * (k * k))


def run(
    graph: KnowledgeTransferGraph,
    transfer: TransferSettings = IMAGE,
    *,
    images: Tensor | None = None,
    net: NetworkSettings | None = None,
    how: TrainingSettings | None = None,
    runtime: RuntimeSettings | None = None,
    seed: int = 3,
    checkpoint: CheckpointFile | None = None,
    **callbacks: Callable[..., Any],
) -> TrainingState:
    """A tiny training on the CPU."""
    return train(
        graph,
        pictures() if images is None else images,
        net or network(),
        transfer,
        how or training(),
        runtime or RuntimeSettings(),
        seed=seed,
        device=CPU,
        checkpoint=checkpoint,
        **callbacks,
    )


def fresh(
    k: int,
    *,
    net: NetworkSettings | None = None,
    how: TrainingSettings | None = None,
    size: int = 8,
    fast: FastSettings = USUAL,
) -> TrainingState:
    """An untrained state for grey images."""
    return new_state(
        Roster(k),
        net or network(),
        how or training(),
        size=size,
        channels=1,
        iterations_per_epoch=4,
        seed=3,
        device=CPU,
        fast=fast,
    )


def digest(state: TrainingState) -> str:
    """SHA-256 of every weight, buffer, Adam moment and random state."""
    sha = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            sha.update(value.detach().contiguous().numpy().tobytes())
        elif isinstance(value, dict):
            for key in value:
                sha.update(str(key).encode())
                add(value[key])
        elif isinstance(value, list | tuple):
            for item in value:
                add(item)
        else:
            sha.update(repr(value).encode())

    add(state.to_checkpoint())
    return sha.hexdigest()


def weights(module: nn.Module) -> list[Tensor]:
    """Copies of all parameters."""
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    """Whether two lists of tensors are equal in every bit."""
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
