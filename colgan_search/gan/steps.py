"""The two phases of one iteration: the discriminator (section 3.3.1 of the paper), then the generators (3.3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from colgan_search.config import TransferSettings
from colgan_search.gan.state import TrainingState
from colgan_search.gates import Gate
from colgan_search.graph import Edge, KnowledgeTransferGraph
from colgan_search.losses import (
    adversarial_loss,
    attention_map,
    fake_loss,
    feature_transfer_loss,
    image_transfer_loss,
    real_loss,
)

_TOGETHER: tuple[tuple[Literal["real", "generated"], ...], ...] = (("real", "generated"),)
_UPDATES: Mapping[str, tuple[tuple[Literal["real", "generated"], ...], ...]] = {
    "per_generator": _TOGETHER,
    "joint": _TOGETHER,
    "per_batch": (("real",), ("generated",)),
}
"""`training.discriminator_steps` -> the batches of one turn that share a backward pass."""


@dataclass(frozen=True)
class Lessons:
    """What the generator phase of a graph must compute, and nothing more. Generators are numbered 1..k."""

    edges: tuple[tuple[Edge, Gate], ...]  # every edge that is not cut off
    students: frozenset[int]  # generators with such an incoming edge: the only ones that are stepped
    runners: tuple[int, ...]  # students and teachers: the only ones that run
    compared: frozenset[int]  # either end of a transfer edge: their feature maps are needed

    @classmethod
    def of(cls, graph: KnowledgeTransferGraph) -> "Lessons":
        """The lessons of a graph."""
        edges = tuple((edge, gate) for edge, gate in graph.items() if gate is not Gate.CUTOFF)
        students = frozenset(edge.target for edge, _ in edges)
        compared = frozenset(node for edge, _ in edges if not edge.adversarial for node in (edge.source, edge.target))
        return cls(edges, students, tuple(sorted(students | compared)), compared)


def discriminator_phase(
    state: TrainingState,
    real: Sequence[Tensor],
    own_z: Sequence[Tensor],
    steps: Literal["per_generator", "per_batch", "joint"],
) -> dict[str, Tensor]:
    """Phase 1 (section 3.3.1): D learns real images and those of every G_i from its own z_i [N, Z], turn by turn.

    `real` holds the real batch [N, C, S, S] of each of the k turns; `steps` is `training.discriminator_steps`.
    Returns the detached loss (equation 1, real and generated summed) of every generator's turn.
    """
    discriminator, optimizer = state.discriminator, state.discriminator_optimizer
    discriminator.requires_grad_(True)
    losses: dict[str, Tensor] = {}
    for i, (generator, pixels, z) in enumerate(zip(state.generators, real, own_z, strict=True), start=1):
        with torch.no_grad():
            fake = generator(z)
        summed = []
        for batches in _UPDATES[steps]:
            # In the order of the text: the generated batch sees D as the real one has left it.
            parts = [
                real_loss(discriminator(pixels)) if batch == "real" else fake_loss(discriminator(fake), i)
                for batch in batches
            ]
            loss = torch.stack(parts).sum()
            if steps != "joint" or i == 1:
                optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            if steps != "joint" or i == state.k:
                optimizer.step()
            summed.append(loss.detach())
        losses[f"D on G{i}"] = torch.stack(summed).sum()
    return losses


def generator_phase(
    state: TrainingState, lessons: Lessons, progress: float, z: Tensor, transfer: TransferSettings
) -> dict[str, Tensor]:
    """Phase 2 (section 3.3.2): from one z [N, Z] for all, every student's gated incoming losses; one step of each.

    Returns the detached loss of every edge that is not cut off, by its name, before its gate.
    """
    if not lessons.edges:
        return {}
    state.discriminator.requires_grad_(False)  # still in train mode: its weights rest, its power iteration runs on
    images: dict[int, Tensor] = {}
    attention: dict[int, list[Tensor]] = {}
    for i in lessons.runners:
        with torch.set_grad_enabled(i in lessons.students):
            layers = transfer.layers if i in lessons.compared else ()
            images[i], maps = state.generators[i - 1].forward_with_maps(z, layers, transfer.maps)
            attention[i] = [attention_map(maps[layer]) for layer in layers]

    losses: dict[str, Tensor] = {}
    whole = torch.zeros((), device=z.device)
    for edge, gate in lessons.edges:
        loss = _edge_loss(edge, state, images, attention, transfer)
        whole = whole + gate.weight(progress) * loss
        losses[edge.name] = loss.detach()

    for i in lessons.students:
        state.generator_optimizers[i - 1].zero_grad()
    whole.backward()  # type: ignore[no-untyped-call]
    for i in lessons.students:
        state.generator_optimizers[i - 1].step()
    return losses


def _edge_loss(
    edge: Edge,
    state: TrainingState,
    images: dict[int, Tensor],
    attention: dict[int, list[Tensor]],
    transfer: TransferSettings,
) -> Tensor:
    """The loss of one edge before its gate: equation 2, 4 or 5."""
    student, teacher = edge.target, edge.source
    if edge.adversarial:
        return adversarial_loss(state.discriminator(images[student]))
    if transfer.kind == "features":
        return feature_transfer_loss(
            attention[student],
            attention[teacher],
            alpha=transfer.alpha,
            reduction=transfer.reduction,
            detach_teacher=transfer.detach_teacher,
        )
    if transfer.kind != "image":
        raise ValueError(f"unknown transfer kind {transfer.kind!r}; known are: image, features")
    return image_transfer_loss(
        images[student],
        images[teacher],
        alpha=transfer.alpha,
        reduction=transfer.reduction,
        detach_teacher=transfer.detach_teacher,
    )
