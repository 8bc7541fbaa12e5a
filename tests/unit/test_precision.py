"""bfloat16: what computes in it, what stays in float32, and that it is another study."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

from colgan_search.config import RuntimeSettings, TransferSettings, fingerprint, load_config, with_overrides
from colgan_search.errors import ConfigError, Interrupted
from colgan_search.extensions.fast import REFERENCE, USUAL, FastSettings
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.self_check import self_check
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import CPU, FEATURES, IMAGE, all_gates, digest, fresh, network, run, training
from tests.unit.test_resume import StopAfter
from tests.unit.test_self_check import config

HALF = training(precision="bfloat16")
LOSSES, GRADIENTS = 5e-2, 3e-1
"""What bfloat16 may change: it keeps 8 bits of each number (chosen before the first run)."""


def one_iteration(
    precision: str, fast: FastSettings, transfer: TransferSettings, norm: str = "spectral"
) -> tuple[dict[str, torch.Tensor], list[torch.Tensor], list[torch.Tensor]]:
    """Losses, every gradient, and D's u and v."""
    state = fresh(
        3, net=network(width=16, discriminator_norm=norm), how=training(precision=precision), size=16, fast=fast
    )
    lessons = Lessons.of(KnowledgeTransferGraph.from_text("G1=D:p,G2:n/G2=G3:p/G3=D:t,G1:n,G2:t"), transfer)
    random = torch.Generator().manual_seed(5)
    real = torch.rand(64, 1, 16, 16, generator=random) * 2 - 1
    own = [torch.randn(64, 6, generator=random) for _ in range(3)]
    losses = discriminator_phase(state, lessons, 0.3, [[real] * 3], [own], "joint")
    losses |= generator_phase(state, lessons, 0.3, torch.randn(64, 6, generator=random))
    (d,) = state.discriminators
    gradients = [p.grad for n in (*state.generators, d) for p in n.parameters() if p.grad is not None]
    return losses, gradients, list(d.buffers())


@pytest.mark.parametrize("norm", ["spectral", "batch"])
@pytest.mark.parametrize("transfer", [IMAGE, FEATURES])
@pytest.mark.parametrize("fast", [USUAL, REFERENCE], ids=["fast", "reference"])
def test_it_is_the_same_training_in_half_precision(fast: FastSettings, transfer: TransferSettings, norm: str) -> None:
    losses, gradients, _ = one_iteration("bfloat16", fast, transfer, norm)
    wanted, exact, _ = one_iteration("float32", REFERENCE, transfer, norm)
    assert losses.keys() == wanted.keys()
    differences = []
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        differences.append(abs(float(loss / wanted[name]) - 1))
    assert 1e-5 < max(differences) < LOSSES  # it was computed in half precision, and only so far off
    for ours, theirs in zip(gradients, exact, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() <= GRADIENTS * theirs.norm() + 1e-4


class Products(TorchFunctionMode):
    """Notes for each product of a power iteration whether autocast was on: CUDA rounds it then, the CPU does not."""

    def __init__(self) -> None:
        super().__init__()
        self.in_half: list[bool] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As it is."""
        if getattr(func, "__name__", "") == "mv":
            self.in_half.append(torch.is_autocast_enabled("cpu"))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("fast", [USUAL, REFERENCE], ids=["fast", "reference"])
def test_spectral_norm_stays_in_float32(fast: FastSettings) -> None:
    """u and v depend on the weights alone, which no step has changed before the last power iteration of D's turns."""
    from torch.nn.utils.parametrizations import spectral_norm

    states = [fresh(1, how=training(precision=p), size=16, fast=fast) for p in ("bfloat16", "float32")]
    found = []
    for state in states:
        (d,) = state.discriminators
        with state.computing(), Products() as products:
            d.forward_batches([torch.zeros(8, 1, 16, 16)] * 3)
        assert len(products.in_half) >= 18 and not any(products.in_half)
        found.append(list(d.buffers()))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    # The same by PyTorch's own, in float64 from the same weights: as many power iterations, no half precision.
    first = fresh(1, size=16).discriminators[0].convolutions[0]
    theirs = spectral_norm(torch.nn.Conv2d(1, 4, 4, 2, 1).double())
    theirs.load_state_dict({name: value.double() for name, value in first.state_dict().items()})
    for _ in range(3):
        theirs(torch.zeros(1, 1, 16, 16, dtype=torch.float64))
    torch.testing.assert_close(
        states[0].discriminators[0].convolutions[0].parametrizations.weight[0]._u.double(),
        theirs.parametrizations.weight[0]._u,
        rtol=1e-5,
        atol=1e-6,
    )


def test_weights_and_moments_are_float32_and_a_resumed_training_has_the_same_bits(tmp_path: Path) -> None:
    whole = run(all_gates(2), how=HALF)
    assert digest(whole) != digest(run(all_gates(2)))
    for network_ in (*whole.generators, *whole.discriminators):
        assert {value.dtype for value in network_.state_dict().values()} <= {torch.float32, torch.int64}
    for optimizer in (*whole.generator_optimizers, *whole.discriminator_optimizers):
        assert {v.dtype for moments in optimizer.state.values() for v in moments.values()} == {torch.float32}
    checkpoint = CheckpointFile(tmp_path, "run")
    with pytest.raises(Interrupted):
        run(all_gates(2), how=HALF, checkpoint=checkpoint, should_stop=StopAfter(3))
    assert digest(run(all_gates(2), how=HALF, checkpoint=checkpoint)) == digest(whole)


def test_two_discriminators_that_teach_each_other() -> None:
    from colgan_search.gan.transfers.outputs import OutputTransferSettings

    graph = KnowledgeTransferGraph.from_text("G1=D1:t,D2:p/D1=D2:t/D2=D1:n")
    state = run(graph, how=HALF, discriminator_transfer=OutputTransferSettings())  # type: ignore[arg-type]
    assert state.iteration == 8


def test_it_is_another_study_and_float32_is_the_one_of_before() -> None:
    digits = load_config("digits")
    assert fingerprint(with_overrides(digits, {"training.precision": "float32"})) == fingerprint(digits)
    assert fingerprint(with_overrides(digits, {"training.precision": "bfloat16"})) != fingerprint(digits)
    with pytest.raises(ConfigError, match=r"training.precision"):
        with_overrides(digits, {"training.precision": "float16"})


def test_the_check_before_the_first_training_allows_for_it() -> None:
    half = with_overrides(config(), {"training.precision": "bfloat16"})
    found = self_check(half, RuntimeSettings().fast, CPU)
    assert found.problem is None and 1e-4 < found.losses < LOSSES
