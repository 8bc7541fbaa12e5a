"""The two phases of one iteration: the discriminators (section 3.3.1 of the paper), then the generators (3.3.2)."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor

from colgan_search.gan.lessons import Lessons
from colgan_search.gan.precision import whole
from colgan_search.gan.state import TrainingState
from colgan_search.gates import Gate
from colgan_search.losses import adversarial_loss, fake_loss, real_loss
from colgan_search.roster import Edge, EdgeKind, Node

Batch = Literal["real", "generated"]
_TOGETHER: tuple[tuple[Batch, ...], ...] = (("real", "generated"),)
Progress = float | Mapping[Edge, Tensor]
"""How far the training is, 0..1, or what the gate of every open edge weighs there, as scalars on the device."""

_UPDATES: Mapping[str, tuple[tuple[Batch, ...], ...]] = {
    "per_generator": _TOGETHER,
    "joint": _TOGETHER,
    "per_batch": (("real",), ("generated",)),
}
"""`training.discriminator_steps` -> the batches of one turn that share a backward pass."""


def discriminator_phase(
    state: TrainingState,
    lessons: Lessons,
    progress: Progress,
    real: Sequence[Sequence[Tensor]],
    own_z: Sequence[Sequence[Tensor]],
    steps: Literal["per_generator", "per_batch", "joint"],
    right: dict[str, Tensor] | None = None,
) -> dict[str, Tensor]:
    """Phase 1 (section 3.3.1): every D learns real images and those of every G_i from z of its own, turn by turn.

    `real` [m][k] holds the real batch [N, C, S, S] of each D and turn, `own_z` [m][k] the z [N, Z]; `steps` is
    `training.discriminator_steps`. With several discriminators each step's loss gains the gated losses of the edges
    D_a -> D_b, of its real and of its generated batch; all learn at once, from what the others are before the step (our
    reading). Returns the detached losses: of every D's turns (equation 1, real and generated summed), and of every edge
    D_a -> D_b before its gate, its mean over the batches. `right`, if given, gets the share 0..1 of the images that
    every D took for what they are, before its step: of the first turn's real ones, and of every generator's.
    """
    nodes = state.roster.discriminator_nodes
    state.discriminators_learn(True)
    losses: dict[str, Tensor] = {}
    transferred: dict[str, list[Tensor]] = {}
    for turn, generator in enumerate(state.generators):
        with torch.no_grad(), state.computing():
            fakes = [generator(z[turn]) for z in own_z]
        fakes = [whole(fake) for fake in fakes]
        summed: list[list[Tensor]] = [[] for _ in nodes]
        for batches in _UPDATES[steps]:
            shown = [
                {batch: (real[j][turn] if batch == "real" else fakes[j]) for batch in batches}
                for j in range(len(nodes))
            ]
            taught = _teachers(state, lessons, shown)
            for j, node in enumerate(nodes):
                logits, gated = _judged(state, node, shown[j], lessons, progress, taught, transferred)
                found = list(zip(shown[j], logits, strict=True))
                parts = [real_loss(one) if batch == "real" else fake_loss(one, turn + 1) for batch, one in found]
                if right is not None:
                    _count(right, node, turn, found)
                loss = reduce(torch.add, parts)  # one or two
                summed[j].append(loss.detach())
                if gated:
                    loss = loss + torch.stack(gated).sum()
                if steps != "joint" or turn == 0:
                    state.discriminator_optimizers[j].forget()
                loss.backward()  # type: ignore[no-untyped-call]
            if steps != "joint" or turn == state.k - 1:
                for optimizer in state.discriminator_optimizers:
                    optimizer.advance()
        for node, of_turn in zip(nodes, summed, strict=True):
            losses[f"{node.name} on G{turn + 1}"] = torch.stack(of_turn).sum()
    return losses | {name: torch.stack(each).mean() for name, each in transferred.items()}


def _logits(state: TrainingState, judge: Node, batches: Sequence[Tensor]) -> list[Tensor]:
    """What a discriminator says of each batch, as if one were shown after the other."""
    with state.computing():
        return [whole(logits) for logits in state.discriminator(judge).forward_batches(batches)]


def _count(right: dict[str, Tensor], node: Node, turn: int, found: Sequence[tuple[Batch, Tensor]]) -> None:
    """The share of each batch that is taken for what it is; logits [N, k+1], class k (from 0) is real."""
    for batch, logits in found:
        if batch == "real" and turn > 0:
            continue
        known = logits.detach().argmax(dim=1) == (logits.shape[1] - 1 if batch == "real" else turn)
        right[f"{node.name} knows {'real' if batch == 'real' else f'G{turn + 1}'}"] = known.float().mean()


def _judged(
    state: TrainingState,
    node: Node,
    shown: Mapping[Batch, Tensor],
    lessons: Lessons,
    progress: Progress,
    taught: Mapping[tuple[Edge, Batch], Any],
    transferred: dict[str, list[Tensor]],
) -> tuple[list[Tensor], list[Tensor]]:
    """The logits of each batch of a step, for equation 1, and the gated losses of the edges into this discriminator.

    In the order of the text: the generated batch sees D as the real one has left it.
    """
    incoming = [(edge, gate) for edge, gate in lessons.among_discriminators if edge.target == node]
    gated = []
    if incoming:
        lesson = lessons.discriminator_transfer
        assert lesson is not None
        logits = []
        for batch, images in shown.items():
            output, own = lesson.run(state, state.discriminator(node), images, True)
            logits.append(output)
            for edge, gate in incoming:
                loss = lesson.loss(own, taught[edge, batch])
                transferred.setdefault(edge.name, []).append(loss.detach())
                gated.append(_weight(edge, gate, progress) * loss)
    else:
        logits = _logits(state, node, list(shown.values()))
    return logits, gated


def _teachers(
    state: TrainingState, lessons: Lessons, shown: Sequence[Mapping[Batch, Tensor]]
) -> dict[tuple[Edge, Batch], Any]:
    """What each teacher among the discriminators makes of its student's batches.

    Without a gradient and in eval mode: power iterations and running statistics do not move while it teaches.
    """
    views: dict[tuple[Edge, Batch], Any] = {}
    lesson = lessons.discriminator_transfer
    if lesson is None:
        return views
    for edge, _ in lessons.among_discriminators:
        teacher = state.discriminator(edge.source)
        teacher.eval()
        with torch.no_grad():
            for batch, images in shown[edge.target.index].items():
                views[edge, batch] = lesson.run(state, teacher, images, True)[1]
        teacher.train()
    return views


def generator_phase(state: TrainingState, lessons: Lessons, progress: Progress, z: Tensor) -> dict[str, Tensor]:
    """Phase 2 (section 3.3.2): from one z [N, Z] for all, every student's gated incoming losses; one step of each.

    Returns the detached loss of every edge into a generator that is not cut off, by its name, before its gate.
    """
    if not lessons.edges:
        return {}
    state.discriminators_learn(False)  # still in train mode: weights rest, power iterations run on
    images: dict[Node, Tensor] = {}
    views: dict[Node, Any] = {}
    for node in lessons.runners:
        with torch.set_grad_enabled(node in lessons.students):
            generator = state.generators[node.index]
            images[node], views[node] = lessons.transfer.run(state, generator, z, node in lessons.compared)

    judged: dict[Edge, Tensor] = {}
    for judge in {edge.source: None for edge, _ in lessons.edges if edge.adversarial}:
        asking = [edge for edge, _ in lessons.edges if edge.adversarial and edge.source == judge]
        logits = _logits(state, judge, [images[edge.target] for edge in asking])
        judged |= dict(zip(asking, logits, strict=True))

    losses: dict[str, Tensor] = {}
    summed = torch.zeros((), device=z.device)
    for edge, gate in lessons.edges:
        loss = _EDGE_LOSSES[edge.kind](lessons, edge, judged, views)
        summed = summed + _weight(edge, gate, progress) * loss
        losses[edge.name] = loss.detach()

    for optimizer in state.generator_optimizers:
        optimizer.forget()
    summed.backward()  # type: ignore[no-untyped-call]
    for optimizer in state.generator_optimizers:
        optimizer.advance()  # of students alone: the others have no gradient
    return losses


def _weight(edge: Edge, gate: Gate, progress: Progress) -> float | Tensor:
    return progress[edge] if isinstance(progress, Mapping) else gate.weight(progress)


def _adversarial(lessons: Lessons, edge: Edge, judged: Mapping[Edge, Tensor], views: Mapping[Node, Any]) -> Tensor:
    return adversarial_loss(judged[edge])


def _transfer(lessons: Lessons, edge: Edge, judged: Mapping[Edge, Tensor], views: Mapping[Node, Any]) -> Tensor:
    return lessons.transfer.loss(views[edge.target], views[edge.source])


_EDGE_LOSSES: Mapping[EdgeKind, Callable[..., Tensor]] = {
    EdgeKind.ADVERSARIAL: _adversarial,
    EdgeKind.TRANSFER: _transfer,
}
"""What an edge into a generator computes, by its kind; a kind that is not here is a KeyError, never another one."""
