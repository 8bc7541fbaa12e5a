"""Seconds by the clock and by the processors, and what many measurements come to."""

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Seconds:
    """Of one measurement."""

    wall: float
    cpu: float
    """Of this process and of its children that have ended, theirs included."""

    def rounded(self) -> dict[str, float]:
        """For JSON."""
        return {"wall": round(self.wall, 3), "cpu": round(self.cpu, 3)}


def timed(work: Callable[[], object], device: Any = None) -> Seconds:
    """How long it takes; with a `torch.device` that is a GPU, until that has done its part."""
    wall, cpu = time.perf_counter(), cpu_seconds()
    work()
    if device is not None and device.type == "cuda":
        import torch

        torch.cuda.synchronize(device)
    return Seconds(time.perf_counter() - wall, cpu_seconds() - cpu)


def cpu_seconds() -> float:
    """Of this process so far, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
    """Median and both ends."""
    return {
        "median": round(statistics.median(values), digits),
        "lowest": round(min(values), digits),
        "highest": round(max(values), digits),
    }
