"""One whole trial of the digits, training and scoring: fast path, everything off, plain reference.

    python -m benchmarks trial --device cpu --json

In every round each of them trains and scores the same graph from the same seed; their order turns. What is loaded once
for all trials of a process (images, classifier) is loaded before.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain_trials
from benchmarks.benchmark import Benchmark
from benchmarks.timing import Seconds, spread, timed
from colgan_search.cli.configs import set_by
from colgan_search.config import StudyConfig, load_config, with_overrides
from colgan_search.experiment import Experiment
from colgan_search.extensions.fast import REFERENCE
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import resolve

FAST, SLOW, PLAIN = "fast path", "with none of runtime.fast", "plain reference"
CONFIG = "digits"


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--graph", default="all-through", help="a graph, or a name (default all-through)")
    parser.add_argument("--rounds", type=int, default=5, help="of all three (default 5)")
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="another value for a key of the config")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Seconds of all trials, and how many times longer than the fast path's."""
    torch.set_num_threads(1)
    device = torch.device(asked.device)
    config = set_by(load_config(CONFIG), asked.set)
    graph = resolve(asked.graph, config.roster)
    setting = plain_trials.Setting.of(config)
    with tempfile.TemporaryDirectory() as folder:
        run: dict[str, Callable[[int], float]] = {
            FAST: _ours(config, graph, Path(folder, "fast"), device),
            SLOW: _ours(
                with_overrides(config, {"runtime.fast": REFERENCE.model_dump()}), graph, Path(folder, "slow"), device
            ),
            PLAIN: _plain(setting, graph, asked.device),
        }
        seconds: dict[str, list[Seconds]] = {name: [] for name in run}
        values: dict[str, list[float]] = {name: [] for name in run}
        order = list(run)
        for seed in range(1, asked.rounds + 1):
            order.append(order.pop(0))
            for name in order:

                def once(name: str = name, seed: int = seed) -> None:
                    values[name].append(run[name](seed))

                seconds[name].append(timed(once, device))
    return {
        "threads": 1,
        "config": config.model_dump(mode="json"),
        "graph": graph.to_text(),
        "rounds": asked.rounds,
        "trials": {name: _row(seconds[name], seconds[FAST], values[name]) for name in run},
    }


def _row(own: list[Seconds], fast: list[Seconds], values: list[float]) -> dict[str, Any]:
    return {
        "cpu_seconds": spread([one.cpu for one in own]),
        "wall_seconds": spread([one.wall for one in own]),
        "times_longer_by_cpu_time": spread([one.cpu / ours.cpu for one, ours in zip(own, fast, strict=True)]),
        "times_longer": spread([one.wall / ours.wall for one, ours in zip(own, fast, strict=True)]),
        "maximum_is": [round(value, 4) for value in values],
    }


def _ours(
    config: StudyConfig, graph: KnowledgeTransferGraph, folder: Path, device: torch.device
) -> Callable[[int], float]:
    experiment = Experiment(config, WorkFolder(folder), device, cache=folder.parent / "cache")

    def once(seed: int) -> float:
        outcome = experiment(graph, seed, folder / str(seed), lambda progress: None, lambda: False)
        return outcome.value

    return once


def _plain(setting: plain_trials.Setting, graph: KnowledgeTransferGraph, device: str) -> Callable[[int], float]:
    images, judge = plain_trials.judge_of(setting, device)
    edges = plain_trials.edges_of(graph)
    return lambda seed: max(plain_trials.trial(setting, edges, seed, images, judge, device))


def lines(result: dict[str, Any]) -> Iterator[str]:
    """One for each of the three."""
    for name, row in result["trials"].items():
        cpu, wall, longer = row["cpu_seconds"], row["wall_seconds"], row["times_longer_by_cpu_time"]
        yield (
            f"{name}: {cpu['median']:.2f} s of CPU time, {wall['median']:.2f} s by the clock; {longer['median']:.2f} "
            f"({longer['lowest']:.2f} to {longer['highest']:.2f}) times the fast path's CPU time"
        )


TRIAL = Benchmark(
    "trial",
    "one whole trial of the digits, training and scoring: fast path, everything off, plain reference",
    options,
    measure,
    lines,
    packages=("torch", "torch-fidelity", "numpy"),
)
