"""One iteration of a training, from what was drawn for it: both phases, one after the other (section 3.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from colgan_search.config import FastSettings, TrainingSettings
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState, layout
from colgan_search.gan.steps import Progress, discriminator_phase, generator_phase
from colgan_search.images import to_pixels

Numbers = tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
"""Losses and accuracies by name, scalars on the device."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn for one iteration, on the device."""

    real: Sequence[Sequence[Tensor]]
    """[m][1, or k with fresh real batches]: the numbers of a batch's real images, int64 [N]."""
    own_z: Sequence[Sequence[Tensor]]
    """[m][k]: z [N, Z] of each discriminator and turn."""
    shared_z: Tensor
    """The generator phase's z [N, Z]."""

    @property
    def tensors(self) -> list[Tensor]:
        """All of them, always in one order."""
        return [tensor for rows in (*self.real, *self.own_z) for tensor in rows] + [self.shared_z]

    def copy(self) -> "Drawn":
        """The same numbers in tensors of its own."""
        real = [[numbers.clone() for numbers in rows] for rows in self.real]
        own_z = [[z.clone() for z in rows] for rows in self.own_z]
        return Drawn(real, own_z, self.shared_z.clone())


@dataclass(frozen=True)
class Iteration:
    """The iteration of one training: everything that stays the same from one to the next."""

    state: TrainingState
    lessons: Lessons
    real: Tensor
    """All real images, uint8 [M, C, S, S], on the device."""
    training: TrainingSettings
    fast: FastSettings

    def __call__(self, drawn: Drawn, progress: Progress, counted: bool) -> Numbers:
        """Steps all networks once; the losses by name (see `steps`), and D's accuracies if they are `counted`."""
        k = self.state.k
        # One real batch for all k turns of a D (our reading), or one for each
        pixels = [
            [to_pixels(self.real[numbers]).contiguous(memory_format=layout(self.fast)) for numbers in batches]
            * (k // len(batches))
            for batches in drawn.real
        ]
        right: dict[str, Tensor] = {}
        losses = discriminator_phase(
            self.state,
            self.lessons,
            progress,
            pixels,
            drawn.own_z,
            self.training.discriminator_steps,
            right if counted else None,
        )
        losses |= generator_phase(self.state, self.lessons, progress, drawn.shared_z)
        return losses, right

    def weights(self, progress: float) -> Tensor:
        """What the gates of `lessons.gated` weigh at `progress` 0..1, float32 [edges], on the CPU."""
        weights = [gate.weight(progress) for _, gate in self.lessons.gated]
        pinned = self.state.device.type == "cuda"  # else the copy would wait for the GPU
        return torch.tensor(weights, dtype=torch.float32, pin_memory=pinned)


def real_batches(training: TrainingSettings, k: int) -> int:
    """Real batches of one iteration (`training.real_batches`): 1, or one for each of the k turns of D."""
    return {"shared": 1, "fresh": k}[training.real_batches]
