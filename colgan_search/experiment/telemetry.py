"""What is written down of a training: losses, the discriminators' accuracies, gate weights, scores; a row an epoch."""

import csv
import io
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colgan_search.errors import DiskFull
from colgan_search.file_names import FRAMES_FILE, TELEMETRY_FILE
from colgan_search.files import atomic_path, write_text
from colgan_search.gan.state import TrainingState
from colgan_search.gates import progress_at
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.images import to_bytes
from colgan_search.records import EpochScores
from colgan_search.seeds import derive_seed

log = logging.getLogger(__name__)

KEY = "telemetry"
OnRow = Callable[[int, Mapping[str, float], Tensor | None], None]
"""(epoch, numbers by the names of the table's columns, now and then samples uint8 [k, n, C, S, S]); as they come."""

FRAMES, IMAGES = 10, 4
"""Moments of a training of which samples are kept, at most, and images of each generator in each."""
DIGITS = 5
"""Significant digits in the table."""


class Telemetry:
    """Observes one training; lives in `TrainingState.extra`, so a resumed one goes on. It draws no random number of the
    training's, and changes no network."""

    def __init__(
        self,
        extra: dict[str, Any],
        graph: KnowledgeTransferGraph,
        z_size: int,
        ramp: str,
        on_row: OnRow = lambda epoch, numbers, samples: None,
    ) -> None:
        """`ramp`: the config's `training.ramp`, by which gates progress. `on_row` hears of every row as it ends."""
        self._kept: dict[str, Any] = extra.setdefault(KEY, {"rows": [], "sums": {}, "frames": []})
        self._graph = graph
        self._z_size = z_size
        self._ramp = ramp
        self._on_row = on_row

    def on_losses(self, values: Iterable[tuple[int, str, float]]) -> None:
        """Adds up; see `gan.finite_watch.OnLosses`. What is not finite is left out."""
        sums = self._kept["sums"]
        for _, name, value in values:
            if math.isfinite(value):
                total = sums.setdefault(name, [0.0, 0])
                total[0] += value
                total[1] += 1

    def on_epoch(self, state: TrainingState) -> None:
        """Ends a row: the means since the last one, and the gates' weights now. Now and then samples of fixed z."""
        rows = self._kept["rows"]
        if rows and rows[-1]["epoch"] == state.epoch:  # called again, as the first time was interrupted
            return
        if self._ramp == "epoch":
            progress = progress_at(state.epoch - 1, state.epochs)
        else:
            progress = progress_at(state.iteration - 1, state.iterations)
        row = {name: total / count for name, (total, count) in self._kept["sums"].items()}
        row |= {f"gate {edge.name}": gate.weight(progress) for edge, gate in self._graph.items()}
        rows.append({"epoch": state.epoch, **row})
        self._kept["sums"] = {}
        samples = None
        if state.epoch % max(1, state.epochs // FRAMES) == 0 or state.epoch == state.epochs:
            samples = self._samples(state)
            self._kept["frames"].append([state.epoch, samples])
        self._on_row(state.epoch, row, samples)

    def on_scores(self, moment: EpochScores) -> None:
        """The scores of an epoch, for who listens; the table has them from the outcome's history."""
        self._on_row(moment.epoch, score_columns(moment), None)

    def write(self, folder: Path, history: Sequence[EpochScores]) -> None:
        """Puts table and samples into the run folder; what cannot be written is logged, and no reason to fail."""
        try:
            write_text(folder / TELEMETRY_FILE, self.table(history))
            if self._kept["frames"]:
                epochs = np.array([epoch for epoch, _ in self._kept["frames"]])
                images = torch.stack([images for _, images in self._kept["frames"]]).numpy()
                with atomic_path(folder / FRAMES_FILE) as temporary, temporary.open("wb") as file:
                    np.savez_compressed(file, epochs=epochs, images=images)
        except (OSError, DiskFull) as error:
            log.warning("telemetry not written: %s", error)

    def table(self, history: Sequence[EpochScores]) -> str:
        """CSV: `epoch`; `D on G1`, `D->G1`, ... the mean losses of its iterations before their gates; `D knows real`,
        `D knows G1` accuracies, 0..1; `gate D->G1` weights at its end; `G1 is_mean`, ... where it was scored."""
        rows = {row["epoch"]: dict(row) for row in self._kept["rows"]}
        for moment in history:
            row = rows.setdefault(moment.epoch, {"epoch": moment.epoch})
            row |= score_columns(moment)
        names = list(dict.fromkeys(name for row in rows.values() for name in row))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for epoch in sorted(rows):
            writer.writerow([_number(rows[epoch].get(name)) for name in names])
        return text.getvalue()

    def _samples(self, state: TrainingState) -> Tensor:
        """uint8 [k, IMAGES, C, S, S] on the CPU, of the same z at every epoch; in eval mode, which the trainer ends."""
        random = torch.Generator().manual_seed(derive_seed(0, "frames"))
        z = torch.randn(IMAGES, self._z_size, generator=random).to(state.device)
        images = []
        with torch.no_grad():
            for generator in state.generators:
                generator.eval()
                images.append(to_bytes(generator(z)).cpu())
        return torch.stack(images)


def score_columns(moment: EpochScores) -> dict[str, float]:
    """`G1 is_mean`, ... of all generators."""
    return {
        f"G{number} {name}": value
        for number, score in enumerate(moment.scores.generators, start=1)
        for name, value in score.metrics.items()
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{DIGITS}g}"
