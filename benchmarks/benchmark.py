"""What a benchmark is, and which there are."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from colgan_search.registry import Registry


@dataclass(frozen=True)
class Benchmark:
    """One measurement."""

    name: str
    says: str
    """What it measures, in one line."""
    options: Callable[[argparse.ArgumentParser], None]
    """Adds its own options."""
    measure: Callable[[argparse.Namespace], dict[str, Any]]
    """Runs it; the figures as JSON has them. BadInput if what is asked for cannot be."""
    lines: Callable[[dict[str, Any]], Iterable[str]]
    """The same in words."""
    device: bool = True
    """True = it takes `--device`."""
    packages: tuple[str, ...] = ("torch",)
    """Whose versions stand in the result, beside this program's and Python's."""


BENCHMARKS: Registry[Benchmark] = Registry(
    "benchmark",
    "colgan_search.benchmarks",
    Benchmark,
    {
        "start": "benchmarks.start:START",
        "train_step": "benchmarks.train_step:TRAIN_STEP",
        "evaluator": "benchmarks.evaluator:EVALUATOR",
        "trial": "benchmarks.trial:TRIAL",
        "search": "benchmarks.search:SEARCH",
        "service": "benchmarks.service:SERVICE",
        "fleet": "benchmarks.fleet:FLEET",
        "telemetry": "benchmarks.telemetry:TELEMETRY",
        "artifacts": "benchmarks.artifacts:ARTIFACTS",
    },
)
