"""An iteration against `benchmarks/plain.py`, which shares no code with the package: same weights, same inputs."""

from typing import Any

import pytest
import torch

from benchmarks import plain
from benchmarks.plain_trials import edges_of
from colgan_search.config import TransferSettings
from colgan_search.config.schema import TrainingSettings
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.state import TrainingState, new_state
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.image import ImageTransferSettings
from colgan_search.graph import KnowledgeTransferGraph

SIZE, CHANNELS, WIDTH, Z, BATCH = 16, 3, 4, 6, 8
TRAINING = TrainingSettings(epochs=1, batch=BATCH, learning_rate=2e-3, betas=(0.0, 0.9))


def state_of(graph: KnowledgeTransferGraph) -> TrainingState:
    return new_state(
        graph.roster,
        DcganSettings(width=WIDTH, z=Z),
        TRAINING,
        size=SIZE,
        channels=CHANNELS,
        iterations_per_epoch=1,
        seed=3,
        device=torch.device("cpu"),
    )


def plain_of(state: TrainingState) -> Any:
    """Its networks, with our weights and our vectors of the power iteration."""
    built = plain.build(state.k, SIZE, CHANNELS, WIDTH, Z, TRAINING.learning_rate, TRAINING.betas, "cpu")
    generators, discriminator, *_ = built
    for ours, theirs in zip(state.generators, generators, strict=True):
        copied = {}
        for name, value in ours.state_dict().items():
            room, layer, rest = name.split(".", 2)
            copied[f"blocks.{layer}.0.{rest}" if room == "convolutions" else f"blocks.{layer}.1.{rest[2:]}"] = value
        theirs.load_state_dict(copied)
    copied = {}
    for name, value in state.discriminators[0].state_dict().items():
        _, layer, rest = name.split(".", 2)
        copied[f"layers.{2 * int(layer)}.{rest}"] = value
    discriminator.load_state_dict(copied)
    return built


@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("transfer", "layers"),
    [
        (FeatureTransferSettings(kind="features", layers=(1, 2), alpha=50.0), (1, 2)),
        (ImageTransferSettings(kind="image", alpha=50.0), None),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "G1=D:t,G2:t,G3:t/G2=D:t,G1:t,G3:t/G3=D:t,G1:t,G2:t",
        "G1=D:p,G2:n/G2=G3:p/G3=D:t,G1:n,G2:t",
        "G1=D:n/G2=-/G3=G1:p",
    ],
)
def test_an_iteration_agrees(
    text: str, transfer: TransferSettings, layers: tuple[int, ...] | None, progress: float
) -> None:
    graph = KnowledgeTransferGraph.from_text(text)
    state = state_of(graph)
    generators, discriminator, g_optimizers, d_optimizer = plain_of(state)
    lessons = Lessons.of(graph, transfer)
    random = torch.Generator().manual_seed(5)
    for _ in range(3):
        real = torch.rand(BATCH, CHANNELS, SIZE, SIZE, generator=random) * 2 - 1
        own_z = [torch.randn(BATCH, Z, generator=random) for _ in range(graph.k)]
        z = torch.randn(BATCH, Z, generator=random)

        ours = discriminator_phase(state, lessons, progress, [[real] * graph.k], [own_z], "per_generator")
        ours |= generator_phase(state, lessons, progress, z)
        theirs = plain.iteration(
            edges_of(graph),
            generators,
            discriminator,
            g_optimizers,
            d_optimizer,
            real,
            [one[:, :, None, None] for one in own_z],
            z[:, :, None, None],
            progress,
            layers,
            50.0,
        )
        for name, loss in theirs.items():
            our_name = name if name.startswith("D on") else _edge_name(name)
            assert ours[our_name].item() == pytest.approx(loss, rel=1e-4, abs=1e-6), name
        assert len(ours) == len(theirs)


def _edge_name(name: str) -> str:
    source, target = name.split("->")
    return f"{source if source == 'D' else 'G' + source}->G{target}"
