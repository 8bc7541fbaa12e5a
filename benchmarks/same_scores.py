"""Do the fast path and the plain reference end with the same scores? One graph, several seeds, one judge for both."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import plain, plain_trials
from benchmarks.rows import Rows
from colgan_search.config import StudyConfig
from colgan_search.evaluation.comparing import of_means
from colgan_search.experiment import Experiment
from colgan_search.file_names import WorkFolder
from colgan_search.presets import resolve

FAST, PLAIN = "fast path", "plain reference"


class AsOurs(nn.Module):
    """A generator of the plain reference as the evaluator calls one: z [N, z] -> images."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        """[N, C, S, S] in [-1, 1]."""
        images: Tensor = self.generator(z[:, :, None, None])[0]
        return images


def measure(config: StudyConfig, graph_text: str, seeds: int, device: str, rows: Rows) -> dict[str, Any]:
    """The maximum IS of every seed by both, and the difference of the means with Welch's 95 % interval."""
    torch.set_num_threads(1)
    graph = resolve(graph_text, config.roster)
    setting = plain_trials.Setting.of(config)
    with tempfile.TemporaryDirectory() as folder:
        made: list[Experiment] = []

        def judge() -> Experiment:
            if not made:
                made.append(Experiment(config, WorkFolder(Path(folder)), torch.device(device)))
            return made[0]

        def fast(seed: int) -> dict[str, Any]:
            run = Path(folder, str(seed))
            return {"value": judge()(graph, seed, run, lambda progress: None, lambda: False).value}

        def plainly(seed: int) -> dict[str, Any]:
            images, _ = plain.digits(setting.size)
            generators = plain_trials.train_generators(setting, plain_trials.edges_of(graph), seed, images, device)
            scored = judge().evaluator.score([AsOurs(generator) for generator in generators], setting.nz, seed=seed)
            return {"value": scored.value}

        values: dict[str, list[float]] = {FAST: [], PLAIN: []}
        for seed in range(1, seeds + 1):
            for name, run in ((FAST, fast), (PLAIN, plainly)):
                row = rows.get(f"scores, {name}, seed {seed}", lambda run=run, seed=seed: run(seed))  # type: ignore[misc]
                values[name].append(row["value"])
    return {
        "graph": graph.to_text(),
        "maximum_is": {name: [round(value, 4) for value in found] for name, found in values.items()},
        "difference": asdict(of_means(values[FAST], values[PLAIN])) if seeds > 1 else None,
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The difference, in one line."""
    difference = result["difference"]
    if difference is not None:
        yield (
            f"maximum IS of {result['graph']}, fast path less plain reference, {len(result['maximum_is'][FAST])} seeds "
            f"each: {difference['value']:.3f} [{difference['low']:.3f}, {difference['high']:.3f}]"
        )
