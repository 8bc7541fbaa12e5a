"""What it costs to write down a training: epochs with and without telemetry, in turn, in one process.

    python -m benchmarks telemetry --rounds 20

k = 3, all through, feature transfer, at the digits' size (one epoch is 56 iterations), on one thread. Medians of ratios
within a round, by the thread's CPU time; what is written at the end is not among it, and given by itself.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.benchmark import Benchmark
from colgan_search.config import load_config
from colgan_search.experiment.telemetry import Telemetry
from colgan_search.gan.state import TrainingState
from colgan_search.gan.trainer import train
from colgan_search.presets import resolve

CPU = torch.device("cpu")


def epoch(real: torch.Tensor, config: Any, observed: bool) -> tuple[float, float]:
    """CPU seconds of one epoch, and of writing what was observed."""
    graph = resolve("all-through", config.roster, files=False)
    telemetry: list[Telemetry] = []
    began: list[float] = []

    def on_start(state: TrainingState) -> None:
        if observed:
            telemetry.append(Telemetry(state.extra, graph, config.network.z, config.training.ramp))
        began.append(time.thread_time())

    more: dict[str, Callable[..., Any]] = {"on_start": on_start}
    if observed:
        more |= {
            "on_losses": lambda values: telemetry[0].on_losses(values),
            "on_epoch": lambda state: telemetry[0].on_epoch(state),
        }
    train(
        graph,
        real,
        config.network,
        config.transfer,
        config.training.model_copy(update={"epochs": 1}),
        config.runtime,
        seed=0,
        device=CPU,
        **more,
    )
    seconds = time.thread_time() - began[0]
    written = 0.0
    if observed:
        with tempfile.TemporaryDirectory() as folder:
            before = time.thread_time()
            telemetry[0].write(Path(folder), [])
            written = time.thread_time() - before
    return seconds, written


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--rounds", type=int, default=20)


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Ratios of epochs with telemetry to those without."""
    torch.set_num_threads(1)
    config = load_config("digits")
    random = torch.Generator().manual_seed(0)
    size = 56 * config.training.batch
    shape = (size, config.data.channels, config.data.size, config.data.size)
    real = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
    epoch(real, config, True)
    ratios, plain, written = [], [], []
    for number in range(asked.rounds):
        order = (False, True) if number % 2 == 0 else (True, False)
        found = {observed: epoch(real, config, observed) for observed in order}
        ratios.append(found[True][0] / found[False][0])
        plain.append(found[False][0])
        written.append(found[True][1])
    quarters = statistics.quantiles(ratios, n=4)
    return {
        "ratio": round(statistics.median(ratios), 4),
        "middle_half": [round(quarters[0], 4), round(quarters[2], 4)],
        "rounds": asked.rounds,
        "iteration_ms": round(1e3 * statistics.median(plain) / 56, 2),
        "written_ms": round(1e3 * statistics.median(written), 2),
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """In words."""
    low, high = result["middle_half"]
    yield f"an epoch with telemetry: {result['ratio']} times one without (middle half {low} to {high})"
    yield f"writing it at the end: {result['written_ms']} ms"


TELEMETRY = Benchmark("telemetry", "what it costs to write down a training", options, measure, lines, device=False)
