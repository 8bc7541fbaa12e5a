"""How long the program takes to start: the command line, and a worker until the first step of its first training.

    python -m benchmarks start --json

Every round starts each of them once, as a process of its own, beside Python alone and PyTorch's import for comparison.
The worker's study has had a trial: its classifier is there. The first start of all warms the disk's cache.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark
from benchmarks.processes import run
from benchmarks.timing import Seconds, spread

STUDY = "digits"
PROGRAM = (sys.executable, "-m", "colgan_search")
WORKER = "a worker until its first step"


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--rounds", type=int, default=5, help="counted starts of each (default 5)")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each start."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder, "study")
        _study(template, asked.device)
        seconds: dict[str, list[Seconds]] = {}
        for number in range(asked.rounds + 1):
            copy = Path(folder, str(number))
            shutil.copytree(template, copy)  # whoever is ended in the middle of a trial leaves a slot behind
            for name, words in _starts(copy, asked.device).items():
                seconds.setdefault(name, []).append(run(words))
            shutil.rmtree(copy)
    return {"rounds": asked.rounds, "starts": {name: _row(*found) for name, found in seconds.items()}}


def _row(warm_up: Seconds, *counted: Seconds) -> dict[str, Any]:
    return {
        "cpu_seconds": spread([one.cpu for one in counted]),
        "wall_seconds": spread([one.wall for one in counted]),
        "warm_up": warm_up.rounded(),
    }


def _starts(work: Path, device: str) -> dict[str, Sequence[str]]:
    here = ("--work-dir", str(work), "--storage", f"sqlite:///{work}/study.db")
    return {
        "python alone": (sys.executable, "-c", "pass"),
        "python and import torch": (sys.executable, "-c", "import torch"),
        "--version": (*PROGRAM, "--version"),
        "--help": (*PROGRAM, "--help"),
        "launch --help": (*PROGRAM, "launch", "--help"),
        "status": (*PROGRAM, "status", "--study", STUDY, *here),
        WORKER: (
            *(sys.executable, "-m", "benchmarks.first_step"),
            *("worker", "--study", STUDY, "--device", device, *here),
        ),
    }


def _study(work: Path, device: str) -> None:
    """A study that has had one trial and wants more."""
    work.mkdir()
    launch = [*PROGRAM, "launch", "--config", STUDY, "--work-dir", str(work), "--storage", f"sqlite:///{work}/study.db"]
    launch += ["--set", "training.epochs=1", "--set", "evaluation.images=1000", "--device", device]
    for words in (["--trials", "1", "--workers", "1"], ["--trials", "100", "--workers", "0"]):
        run([*launch, *words])


def lines(result: dict[str, Any]) -> Iterator[str]:
    """One for each."""
    for name, row in result["starts"].items():
        cpu, wall = row["cpu_seconds"], row["wall_seconds"]
        yield (
            f"{name}: {cpu['median']:.2f} s of CPU time ({cpu['lowest']:.2f} to {cpu['highest']:.2f}), "
            f"{wall['median']:.2f} s by the clock"
        )


START = Benchmark(
    "start",
    "how long the command line takes to start, and a worker until the first step of its first training",
    options,
    measure,
    lines,
    packages=("torch", "optuna", "sqlalchemy"),
)
