"""Before the first training on a GPU: does the fast path give there what the slow one does?"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from colgan_search.config import StudyConfig
from colgan_search.errors import in_one_line
from colgan_search.extensions.fast import REFERENCE, FastSettings
from colgan_search.gan.capture_check import replaying_problem
from colgan_search.gan.captured import RECORDERS
from colgan_search.gan.differences import gradient, loss_difference, vector_difference
from colgan_search.gan.iteration import Drawn, Iteration, real_batches
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState, layout, new_state
from colgan_search.gan.steps import discriminator_phase, generator_phase
from colgan_search.gates import CUTOFF, POSITIVE, THROUGH, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import EdgeKind

ITERATIONS = 3
PROGRESS = 0.5
SEED = 20210

LOSSES, GRADIENTS = 1e-4, 1e-3
"""What may differ in float32: a loss by so much of itself, a network's gradient by so much of its length."""
LOSSES_TF32, GRADIENTS_TF32 = 1e-2, 5e-2
"""The same where the fast path's convolutions may round to TensorFloat-32, which the reference never does."""
LOSSES_HALF, GRADIENTS_HALF = 5e-2, 3e-1
"""The same where the training computes in bfloat16."""


@dataclass(frozen=True)
class SelfCheck:
    """What came out."""

    fast: FastSettings
    """What to train with."""
    problem: str | None
    """Why that is not what was asked for; None if all of it agrees."""
    losses: float = 0.0
    """The largest relative difference of a loss."""
    gradients: float = 0.0
    """The largest difference of a network's gradient, as a share of its length."""

    @property
    def off(self) -> str | None:
        """What is off, in two words or three."""
        if self.problem is None:
            return None
        return "fast path off" if self.fast == REFERENCE else "CUDA graphs off"

    @property
    def words(self) -> str:
        """For the log."""
        if self.problem is not None:
            return f"{self.off}: {self.problem}"
        return (
            f"the fast path agrees with the float32 reference in {ITERATIONS} iterations: losses within "
            f"{self.losses:.0e}, gradients within {self.gradients:.0e}"
        )


def self_check(config: StudyConfig, fast: FastSettings, device: torch.device) -> SelfCheck:
    """Some iterations by `fast` and by the float32 reference, each from the same state, on images of noise.

    All edges of the study's graphs are through. An error of the fast path is a problem like a difference; one of the
    reference is raised, and so is OutOfMemoryError.
    """
    graph = _all(THROUGH, config)
    lessons = Lessons.of(graph, config.transfer, config.discriminator_transfer)
    allowed = _allowed(config, device)
    in_float32 = config.model_copy(update={"training": config.training.model_copy(update={"precision": "float32"})})
    reference = _state(graph, in_float32, REFERENCE, device)
    losses = gradients = 0.0
    for iteration in range(ITERATIONS):
        for phase in (_discriminators, _generators):
            try:
                # From one state each time: what differs is of one phase, and not magnified by Adam's steps.
                ours = _state(graph, config, fast, device)
                ours.restore(copy.deepcopy(reference.to_checkpoint()))  # optimizers keep such tensors as they are
                found = phase(ours, lessons, config, fast, iteration)
            except torch.OutOfMemoryError:
                raise  # the reference would need as much
            except Exception as error:
                return SelfCheck(REFERENCE, f"iteration {iteration + 1} failed: {in_one_line(error)}")
            with _float32():
                wanted = phase(reference, lessons, config, REFERENCE, iteration)
            losses = max(losses, loss_difference(found[0], wanted[0]))
            gradients = max(gradients, vector_difference(found[1], wanted[1]))
            if losses > allowed[0] or gradients > allowed[1]:
                return SelfCheck(
                    REFERENCE,
                    f"in iteration {iteration + 1} its losses differ from the float32 reference's by {losses:.1e} "
                    f"(allowed {allowed[0]:.0e}), its gradients by {gradients:.1e} (allowed {allowed[1]:.0e})",
                    losses,
                    gradients,
                )
    del reference, ours  # the next two states take as much memory
    if fast.cuda_graph and device.type in RECORDERS:
        problem = _replaying_problem(config, fast, device, allowed[0])
        if problem is not None:
            return SelfCheck(fast.model_copy(update={"cuda_graph": False}), problem, losses, gradients)
    return SelfCheck(fast, None, losses, gradients)


def _allowed(config: StudyConfig, device: torch.device) -> tuple[float, float]:
    """The largest differences of a loss and of a gradient."""
    if config.training.precision != "float32":
        return LOSSES_HALF, GRADIENTS_HALF
    tf32 = device.type == "cuda" and (torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32)
    return (LOSSES_TF32, GRADIENTS_TF32) if tf32 else (LOSSES, GRADIENTS)


def _replaying_problem(config: StudyConfig, fast: FastSettings, device: torch.device, allowed: float) -> str | None:
    """See `capture_check.replaying_problem`. Gates that ramp, and batches of other images: both are copied in."""
    graph = _all(POSITIVE, config)
    lessons = Lessons.of(graph, config.transfer, config.discriminator_transfer)
    draw = _Draw(config, device, ITERATIONS)
    turns = real_batches(config.training, graph.k)
    batch = config.training.batch
    batches = torch.split(torch.arange((1 + turns) * batch, device=device), batch)
    real = torch.cat([((draw.images() + 1) * 127.5).round().byte() for _ in batches])

    def drawn(number: int) -> Drawn:
        m = graph.roster.discriminators
        own_z = [[draw.z() for _ in range(graph.k)] for _ in range(m)]
        shown = [batches[(number + turn) % len(batches)] for turn in range(turns)]
        return Drawn([shown] * m, own_z, draw.z())

    one, other = (Iteration(_state(graph, config, fast, device), lessons, real, config.training, fast) for _ in "ab")
    return replaying_problem(one, other, drawn, allowed)


def _all(gate: Gate, config: StudyConfig) -> KnowledgeTransferGraph:
    """The study's roster with this gate on every edge that its settings allow."""
    roster = config.roster
    gates = tuple(
        CUTOFF if edge.kind is EdgeKind.DISCRIMINATOR_TRANSFER and config.discriminator_transfer is None else gate
        for edge in roster.edges
    )
    return KnowledgeTransferGraph(roster, gates)


def _state(
    graph: KnowledgeTransferGraph, config: StudyConfig, fast: FastSettings, device: torch.device
) -> TrainingState:
    return new_state(
        graph.roster,
        config.network,
        config.training,
        size=config.data.size,
        channels=config.data.channels,
        iterations_per_epoch=ITERATIONS,
        seed=SEED,
        device=device,
        fast=fast,
    )


Found = tuple[dict[str, Tensor], list[Tensor]]
"""Losses by name, and the gradient of every network that learned, as one vector."""


def _discriminators(
    state: TrainingState, lessons: Lessons, config: StudyConfig, fast: FastSettings, iteration: int
) -> Found:
    """The first phase, with one step at its end, after the gradients of all turns."""
    draw = _Draw(config, state.device, iteration)
    real = draw.images().contiguous(memory_format=layout(fast))
    m = len(state.discriminators)
    own_z = [[draw.z() for _ in range(state.k)] for _ in range(m)]
    losses = discriminator_phase(state, lessons, PROGRESS, [[real] * state.k] * m, own_z, "joint")
    return losses, [gradient(network) for network in state.discriminators]


def _generators(
    state: TrainingState, lessons: Lessons, config: StudyConfig, fast: FastSettings, iteration: int
) -> Found:
    losses = generator_phase(state, lessons, PROGRESS, _Draw(config, state.device, iteration).z())
    return losses, [gradient(network) for network in state.generators]


class _Draw:
    """The same images and z in every phase of an iteration, whoever draws them."""

    def __init__(self, config: StudyConfig, device: torch.device, iteration: int) -> None:
        self._config, self._device = config, device
        self._random = torch.Generator().manual_seed(SEED + iteration)

    def images(self) -> Tensor:
        """Noise [N, C, S, S] in [-1, 1]."""
        data = self._config.data
        shape = (self._config.training.batch, data.channels, data.size, data.size)
        return (torch.rand(shape, generator=self._random) * 2 - 1).to(self._device)

    def z(self) -> Tensor:
        """[N, Z]."""
        shape = (self._config.training.batch, self._config.network.z)
        return torch.randn(shape, generator=self._random).to(self._device)


@contextmanager
def _float32() -> Iterator[None]:
    """No TensorFloat-32 inside."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
