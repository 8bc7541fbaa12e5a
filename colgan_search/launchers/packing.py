"""Several workers on one GPU: how many fit by measured memory, and what happens when it runs out."""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Protocol

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from colgan_search.errors import DeviceError, DiskFull
from colgan_search.file_names import WorkFolder
from colgan_search.files import make_private, write_text
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import OnProgress, Outcome, Progress, ShouldStop
from colgan_search.search.worker import Experiment

log = logging.getLogger(__name__)

AUTO = "auto"
AS_MANY_AS_FIT = " (as many as fit)"
"""After the name of a GPU in a plan: one worker begins, others follow when its memory is measured."""
MOST_PER_GPU = 48
"""Clients that CUDA MPS takes."""
MOST_BY_ITSELF = 8
"""What `auto` goes up to."""
CONTEXT_BYTES = 600 * 2**20
"""What a process takes on a GPU beside what PyTorch's allocator counts: an estimate, on the safe side."""
SPARE_SHARE = 0.05
"""Of a GPU's memory, left free: fragments, and graphs with more edges than those measured."""
MARGIN = 1.1
"""Times a measured peak."""
MPS_DAEMON = "nvidia-cuda-mps"
"""How the name of CUDA MPS's daemon begins: `nvidia-cuda-mps-control`, cut by some systems."""

Bytes = Annotated[int, Field(strict=True, ge=0)]


class MemoryReport(BaseModel):
    """What one worker knows of its GPU's memory, in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    peak: Bytes
    """The most that PyTorch's allocator has held for it, over a training and its scoring."""
    held: Bytes
    """What it holds now."""
    free: Bytes
    """Of the whole GPU, now."""
    total: Bytes


class Gpu(Protocol):
    """The narrow door to a GPU's memory."""

    def memory(self) -> MemoryReport:
        """Of this process, now."""


class CudaGpu:
    """A GPU as PyTorch sees it: `cuda:N`."""

    def __init__(self, device: str) -> None:
        self.device = device

    def memory(self) -> MemoryReport:
        """Of this process, now."""
        import torch

        free, total = torch.cuda.mem_get_info(self.device)
        held = torch.cuda.memory_reserved(self.device)
        return MemoryReport(peak=torch.cuda.max_memory_reserved(self.device), held=held, free=free, total=total)


def per_gpu(text: str | int) -> int | None:
    """The number that a person gave; None for `auto`. DeviceError if it is neither."""
    if text == AUTO:
        return None
    if str(text).isascii() and str(text).isdigit() and 1 <= int(text) <= MOST_PER_GPU:
        return int(text)
    raise DeviceError(f"`workers_per_gpu` {text!r} is not allowed: it is {AUTO}, or a number from 1 to {MOST_PER_GPU}")


def fitting(report: MemoryReport) -> int:
    """How many workers like the one that reported, while it was the only one of ours, a GPU takes; at least 1."""
    others = max(0, report.total - report.free - report.held - CONTEXT_BYTES)
    usable = report.total * (1.0 - SPARE_SHARE) - others
    return max(1, int(usable // (MARGIN * report.peak + CONTEXT_BYTES)))


def report_file(work: Path, pid: int) -> Path:
    """Where worker process `pid` of this machine leaves its report."""
    return WorkFolder(work).gpus / f"memory-{pid}.json"


def recorder(gpu: Gpu, work: Path) -> Callable[[], None]:
    """To be called now and then in a worker: its report is written anew where its peak has grown."""
    peaks = [-1]
    file = report_file(work, os.getpid())
    make_private(file.parent)

    def look() -> None:
        report = gpu.memory()
        if report.peak <= peaks[0]:
            return
        try:
            write_text(file, report.model_dump_json())
        except (OSError, DiskFull) as error:  # no training ends for it
            log.warning("%s: this worker's memory is not reported (%s)", file, error)
        peaks[0] = report.peak

    return look


def measured(experiment: Experiment, look: Callable[[], None]) -> Experiment:
    """The same, with a look at the memory after every score and at the end."""

    def run(
        graph: KnowledgeTransferGraph, seed: int, folder: Path, on_progress: OnProgress, should_stop: ShouldStop
    ) -> Outcome:
        def told(progress: Progress) -> None:
            on_progress(progress)
            if progress.scores is not None:
                look()

        outcome = experiment(graph, seed, folder, told, should_stop)
        look()
        return outcome

    return run


def read_report(work: Path, pid: int) -> MemoryReport | None:
    """What worker process `pid` has reported; None as long as it has not, or if that cannot be read."""
    try:
        return MemoryReport.model_validate_json(report_file(work, pid).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s: no report of a worker's memory; left out (%s)", report_file(work, pid), type(error).__name__)
        return None


class Packing:
    """How many workers the GPUs of one launch take: those that were planned, or as many as fit."""

    def __init__(self, work: Path, auto: Iterable[str], most: int) -> None:
        """`auto`: the GPUs that take as many as fit, at most `most` each."""
        self.work = work
        self.most = most
        self._auto = set(auto)
        self._limits: dict[str, int] = {}
        for file in self._reports():
            if not psutil.pid_exists(int(file.stem.rpartition("-")[2])):
                file.unlink(missing_ok=True)  # or a process with an old one's number would seem to have reported

    def _reports(self) -> list[Path]:
        found = report_file(self.work, 0).parent.glob("memory-*.json")
        return [file for file in found if file.stem.rpartition("-")[2].isdigit()]

    def room(self, device: str, pids: list[int]) -> int:
        """How many more workers `device` takes now, beside the running processes `pids`."""
        if device not in self._auto or not pids:
            return 0
        if device not in self._limits:
            report = read_report(self.work, pids[0])
            if report is None:
                return 0
            fit = fitting(report)
            self._limits[device] = min(fit, self.most)
            log.info(
                "%s: one worker takes %.2f GiB at most, %.1f of %.1f GiB are free: %d workers fit, %d are started",
                *(device, report.peak / 2**30, report.free / 2**30, report.total / 2**30, fit, self._limits[device]),
            )
        return max(0, self._limits[device] - len(pids))

    def lower(self, device: str, running: int) -> None:
        """`device` has run out of memory: it never takes more than those that still run."""
        self._limits[device] = max(1, running)


def most_by_itself(gpus: int, cores: int) -> int:
    """Workers of one GPU that `auto` goes up to: each of them also needs a core."""
    return min(MOST_BY_ITSELF, max(1, cores // max(1, gpus)))


def mps_runs(names: Callable[[], Iterable[str]] | None = None) -> bool:
    """True if CUDA MPS's daemon runs here: kernels of several processes then run side by side on a GPU."""
    return any(name.startswith(MPS_DAEMON) for name in (names or _process_names)())


def _process_names() -> Iterable[str]:
    return (process.info["name"] or "" for process in psutil.process_iter(["name"]))
