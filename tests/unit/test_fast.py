"""Every way of computing an iteration faster, off against on: same weights, same inputs, same mathematics."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import plain
from colgan_search.config import RuntimeSettings, TransferSettings
from colgan_search.errors import Interrupted
from colgan_search.extensions.fast import REFERENCE, FastSettings
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.networks.products import from_point, to_few_channels
from colgan_search.gan.state import TrainingState, layout, new_state
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.image import ImageTransferSettings
from colgan_search.gan.transfers.outputs import OutputTransferSettings
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import CPU, FEATURES, IMAGE, all_gates, digest, fresh, run
from tests.unit.test_plain_reference import TRAINING, edges_of, plain_of
from tests.unit.test_resume import StopAfter

ONE_OFF = {
    name: FastSettings.model_validate({name: False})
    for name in ("spectral", "one_pass", "matrix_products", "one_adam", "channels_last")
} | {"losses_every": FastSettings(losses_every=1)}
GRAPHS = {
    "all through": "G1=D:t,G2:t,G3:t/G2=D:t,G1:t,G3:t/G3=D:t,G1:t,G2:t",
    "MAD-GAN": "G1=D:t/G2=D:t/G3=D:t",
    "ramps": "G1=D:p,G2:n/G2=G3:p/G3=D:t,G1:n,G2:t",
    "cut off": "G1=D:n/G2=-/G3=G1:p",
    "two discriminators": "G1=D1:t,D2:p,G2:n/G2=D2:n,G1:t/D1=D2:p/D2=-",
}
TRANSFERS: dict[str, TransferSettings] = {
    "features": FeatureTransferSettings(kind="features", layers=(1, 2), alpha=50.0),
    "convolutions": FeatureTransferSettings(kind="features", layers=(2,), alpha=50.0, maps="convolution"),
    "image": ImageTransferSettings(kind="image", alpha=50.0),
    "undetached": ImageTransferSettings(kind="image", alpha=50.0, detach_teacher=False),
}


def test_every_setting_is_tried_off() -> None:
    assert {*ONE_OFF, "cuda_graph"} == set(FastSettings.model_fields)  # that one: test_captured.py
    assert all(getattr(REFERENCE, name) == getattr(one, name) for name, one in ONE_OFF.items())


def state_of(graph: KnowledgeTransferGraph, fast: FastSettings, channels: int, norm: str = "spectral") -> TrainingState:
    return new_state(
        graph.roster,
        DcganSettings.model_validate({"width": 4, "z": 6, "discriminator_norm": norm}),
        TRAINING,
        size=16,
        channels=channels,
        iterations_per_epoch=4,
        seed=3,
        device=CPU,
        fast=fast,
    )


def iterate(
    text: str, fast: FastSettings, transfer: TransferSettings, channels: int = 3, norm: str = "spectral"
) -> tuple[list[float], list[torch.Tensor], TrainingState]:
    """Losses of one iteration, and every gradient that it leaves behind."""
    graph = KnowledgeTransferGraph.from_text(text)
    state = state_of(graph, fast, channels, norm)
    m = len(state.discriminators)
    among = OutputTransferSettings(alpha=3.0, temperature=2.0) if m > 1 else None
    lessons = Lessons.of(graph, transfer, among)
    random = torch.Generator().manual_seed(5)
    real = torch.rand(8, channels, 16, 16, generator=random).contiguous(memory_format=layout(fast)) * 2 - 1
    own = [[torch.randn(8, 6, generator=random) for _ in range(graph.k)] for _ in range(m)]
    losses = discriminator_phase(state, lessons, 0.3, [[real] * graph.k] * m, own, "joint")
    losses |= generator_phase(state, lessons, 0.3, torch.randn(8, 6, generator=random))
    networks = [*state.generators, *state.discriminators]
    gradients = [p.grad for n in networks for p in n.parameters() if p.grad is not None]
    return [losses[name].item() for name in sorted(losses)], gradients, state


def agree(ours: Any, theirs: Any) -> None:
    """Losses to 1e-5, each tensor of gradients to 1e-4 of its norm."""
    assert ours[0] == pytest.approx(theirs[0], rel=1e-5, abs=1e-7)
    assert len(ours[1]) == len(theirs[1])
    for a, b in zip(ours[1], theirs[1], strict=True):
        # What batch norm cancels is rounding alone
        assert (a - b).norm() <= 1e-4 * b.norm() + 1e-7, (tuple(a.shape), a.norm(), b.norm())


@pytest.mark.parametrize("transfer", list(TRANSFERS))
@pytest.mark.parametrize("text", list(GRAPHS))
def test_all_of_it_against_none(text: str, transfer: str) -> None:
    agree(*(iterate(GRAPHS[text], fast, TRANSFERS[transfer]) for fast in (FastSettings(), REFERENCE)))


@pytest.mark.parametrize("norm", ["spectral", "spectral-replacing", "batch"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("off", list(ONE_OFF))
def test_each_against_all(off: str, channels: int, norm: str) -> None:
    both = FastSettings(), ONE_OFF[off]
    ours, theirs = (iterate(GRAPHS["ramps"], fast, FEATURES, channels, norm) for fast in both)
    agree(ours, theirs)
    if norm != "batch":
        for (name, a), b in zip(
            ours[2].discriminators[0].named_buffers(), theirs[2].discriminators[0].buffers(), strict=True
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5, msg=f"{name}: not as many power iterations")


@pytest.mark.parametrize("transfer", ["features", "image"])
@pytest.mark.parametrize("text", ["all through", "MAD-GAN", "ramps", "cut off"])
def test_against_the_plain_reference(text: str, transfer: str) -> None:
    graph = KnowledgeTransferGraph.from_text(GRAPHS[text])
    state = state_of(graph, FastSettings(), 3)
    generators, d, g_optimizers, d_optimizer = plain_of(state)
    lessons = Lessons.of(graph, TRANSFERS[transfer])
    random = torch.Generator().manual_seed(5)
    real = torch.rand(8, 3, 16, 16, generator=random) * 2 - 1
    own = [torch.randn(8, 6, generator=random) for _ in range(3)]
    z = torch.randn(8, 6, generator=random)
    ours = discriminator_phase(state, lessons, 0.3, [[real] * 3], [own], "per_generator")
    of_d = [p.grad.clone() for p in state.discriminators[0].parameters() if p.grad is not None]
    ours |= generator_phase(state, lessons, 0.3, z)

    last: list[torch.Tensor] = []
    d_optimizer.register_step_pre_hook(  # the last turn's gradients, before the generators' losses add theirs
        lambda *_: last.__setitem__(slice(None), [p.grad.clone() for p in d.parameters()])
    )
    points = [one[:, :, None, None] for one in (*own, z)]
    layers = (1, 2) if transfer == "features" else None
    theirs = plain.iteration(
        edges_of(graph), generators, d, g_optimizers, d_optimizer, real, points[:3], points[3], 0.3, layers, 50.0
    )

    def name_of(name: str) -> str:
        source, arrow, target = name.partition("->")
        return f"{source if source == 'D' else 'G' + source}->G{target}" if arrow else name

    for name, loss in theirs.items():
        assert ours[name_of(name)].item() == pytest.approx(loss, rel=1e-5, abs=1e-6), name
    by_shape = {p.shape: p for p in last if p.dim() == 4}
    weights = [p for p in of_d if p.dim() == 4]
    assert len(by_shape) == len(weights) == 3
    for a in weights:
        assert (a - by_shape[a.shape]).norm() <= 1e-4 * by_shape[a.shape].norm(), tuple(a.shape)
    for node in lessons.students:
        pairs = zip(state.generators[node.index].convolutions, generators[node.index].blocks, strict=True)
        for convolution, block in pairs:
            if block[0].weight.grad is not None and convolution.weight.grad is not None:
                error = (convolution.weight.grad - block[0].weight.grad).norm()
                assert error <= 1e-4 * block[0].weight.grad.norm() + 1e-7


def test_matrix_products_are_pytorchs_convolutions() -> None:
    random = torch.Generator().manual_seed(1)
    z, first = (torch.randn(size, generator=random) for size in ((5, 7), (7, 6, 4, 4)))
    torch.testing.assert_close(
        from_point(z, first), torch.nn.functional.conv_transpose2d(z[:, :, None, None], first), rtol=1e-5, atol=1e-5
    )
    for few in (1, 2, 3):
        x, weight = (torch.randn(size, generator=random).double() for size in ((2, 3, 4, 6), (3, few, 4, 4)))
        assert torch.autograd.gradcheck(to_few_channels, (x.requires_grad_(), weight.requires_grad_()))
        theirs = torch.nn.functional.conv_transpose2d(x, weight, None, 2, 1)
        torch.testing.assert_close(to_few_channels(x, weight), theirs)


@pytest.mark.parametrize("fast", [FastSettings(), REFERENCE, ONE_OFF["one_adam"]], ids=["all", "none", "k Adams"])
def test_a_resumed_training_has_the_same_bits(tmp_path: Path, fast: FastSettings) -> None:
    runtime = RuntimeSettings(fast=fast)
    whole = run(all_gates(2), runtime=runtime)
    for stop in (StopAfter(3), None):
        checkpoint = CheckpointFile(tmp_path, "run")
        if stop is not None:
            with pytest.raises(Interrupted):
                run(all_gates(2), runtime=runtime, checkpoint=checkpoint, should_stop=stop)
        else:
            assert digest(run(all_gates(2), runtime=runtime, checkpoint=checkpoint)) == digest(whole)


def test_a_checkpoint_fits_one_adam_and_several() -> None:
    one, several = (fresh(3, fast=fast) for fast in (FastSettings(), ONE_OFF["one_adam"]))
    lessons = Lessons.of(KnowledgeTransferGraph.from_text("G1=D:t/G2=-/G3=G1:t"), IMAGE)
    generator_phase(one, lessons, 0.5, torch.randn(8, 6))
    several.restore(one.to_checkpoint())
    assert [len(optimizer.state) for optimizer in several.generator_optimizers][1] == 0  # G2 was never stepped
    another = fresh(3)
    another.restore(several.to_checkpoint())
    assert digest(another) == digest(one)
