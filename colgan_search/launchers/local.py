"""Worker processes of this machine: started, watched, started again when they die, drained."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import torch

from colgan_search import logs
from colgan_search.config import RuntimeSettings
from colgan_search.errors import BadInput, DeviceError
from colgan_search.experiment import choose_device
from colgan_search.file_names import WorkFolder
from colgan_search.files import make_private
from colgan_search.search.care.dead_workers import release_dead
from colgan_search.search.database.retry import is_outage
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)

CPU_WORKERS_PER_CORE = 4
GPU_WORKERS_PER_DEVICE = 8
RESTARTS_PER_WORKER = 5


def plan_devices(runtime: RuntimeSettings, workers: int | None, device: str | None) -> list[str]:
    """One device name per worker: one worker per GPU, or one per usable core where there is none.

    `workers` says how many instead, `device` (cpu, cuda, cuda:N) where. DeviceError if that makes no sense here.
    With 0 workers nothing is asked of this machine.
    """
    if workers == 0:
        return []
    if workers is not None and workers < 0:
        raise DeviceError(f"`workers` {workers} is not allowed: 0 starts none here, 1 or more are processes")
    chosen = choose_device(runtime, device)
    if chosen.type == "cpu":
        usable = joblib.cpu_count()
        limit = CPU_WORKERS_PER_CORE * usable
        names = ["cpu"]
        default = max(1, usable // runtime.threads)
        what = f"{usable} usable cores"
    else:
        names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if chosen.index is None else [str(chosen)]
        limit = GPU_WORKERS_PER_DEVICE * len(names)
        default = len(names)
        what = f"{len(names)} GPUs"
    if workers is not None and workers > limit:
        raise DeviceError(f"`workers` {workers} is not sensible with {what}: at most {limit}, {default} is best")
    return [names[i % len(names)] for i in range(workers or default)]


@dataclass
class _Child:
    number: int
    device: str
    process: "subprocess.Popen[bytes]"
    restarts: int = 0
    codes: list[int] = field(default_factory=list)


class LocalWorkers:
    """The worker processes that one `launch` has started. They drain when this process ends, however it ends."""

    def __init__(
        self, study: OpenStudy, work_dir: Path, devices: Sequence[str], checkpoints: str | None = None
    ) -> None:
        self.study = study
        self.work_dir = work_dir
        self.checkpoints = checkpoints
        self.draining = False
        self._children = [_Child(i, device, self._start(i, device)) for i, device in enumerate(devices)]

    def log_file(self, number: int) -> Path:
        """Where worker `number` (from 0) writes its events."""
        return WorkFolder(self.work_dir).logs(self.study.name) / f"{os.getpid()}-{number}.log"

    def _start(self, number: int, device: str) -> "subprocess.Popen[bytes]":
        file = self.log_file(number)
        make_private(file.parent)
        command = [sys.executable, "-m", "colgan_search", "worker", "--study", self.study.name]
        command += [
            "--work-dir",
            str(self.work_dir),
            "--device",
            device,
            "--log-file",
            str(file),
            "--wait-for-database",
            str(self.study.config.service.outage_minutes),
            "--leave-with-parent",
        ]
        # The person at this machine has named them to us, or they stand in the config that was given to us.
        named = {
            "--data-root": self.study.config.data.root,
            "--weights": self.study.config.evaluation.weights,
            "--checkpoints": self.checkpoints,
        }
        command += [f"{option}={path}" for option, path in named.items() if path is not None]
        with open(file.with_suffix(".err"), "ab", opener=logs.open_own) as errors:
            return subprocess.Popen(
                command,
                env=_environment(self.study.storage.url_with_password),
                stdin=subprocess.PIPE,  # its end tells the worker that we are gone
                stdout=errors,
                stderr=errors,
                start_new_session=True,  # Ctrl-C reaches us alone; we pass it on as a drain
            )

    def poll(self) -> int:
        """Starts workers again that died; the number of workers that run."""
        for child in self._children:
            code = child.process.poll()
            if code is None or len(child.codes) > child.restarts:
                continue
            child.codes.append(code)
            if code == 0 or self.draining:
                continue
            if code > 0 and code != os.EX_TEMPFAIL:
                log.error("worker %d stopped: %s", child.number, self.last_words(child.number))
                continue
            self._release_dead()
            if child.restarts >= RESTARTS_PER_WORKER:
                log.error("worker %d died %d times and is not started again", child.number, child.restarts + 1)
                continue
            log.warning("worker %d died (%s); started again", child.number, _cause(code))
            child.restarts += 1
            child.process = self._start(child.number, child.device)
            if self.draining:  # asked by another thread, or a signal, while it was started
                child.process.terminate()
        return self.running

    def _release_dead(self) -> None:
        """Gives back the slots of workers that died here; while the database is away their leases run out instead."""
        try:
            release_dead(self.study)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("the database is away; the slots of dead workers wait for their leases to run out")

    @property
    def running(self) -> int:
        """The number of worker processes that run."""
        return sum(child.process.poll() is None for child in self._children)

    @property
    def failed(self) -> list[int]:
        """The numbers of workers that ended with a failure and were not started again."""
        return [c.number for c in self._children if c.process.poll() not in (None, 0) and len(c.codes) > c.restarts]

    @property
    def stays(self) -> None:
        """They end with this process."""
        return None

    @property
    def refused(self) -> bool:
        """True if every worker ended because something that the user gave is wrong."""
        return bool(self.failed) and all(self._children[n].codes[-1] == BadInput.exit_code for n in self.failed)

    def last_words(self, number: int) -> str:
        """The last line that a worker wrote on its terminal, and where the rest is."""
        file = self.log_file(number).with_suffix(".err")
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines() if file.exists() else []
        return f"{lines[-1] if lines else 'no message'} (log: {self.log_file(number)})"

    def drain(self) -> None:
        """Asks every worker to checkpoint, give its slot back and leave."""
        self.draining = True
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends every worker at once; what they had since their last checkpoint is done again later."""
        self.draining = True
        self._signal(signal.SIGKILL)
        for child in self._children:
            child.process.wait()
        self._release_dead()

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.process.poll() is None:
                child.process.send_signal(number)


def _environment(url: str) -> Mapping[str, str]:
    """The children's environment: the storage with its password travels here, not on a command line."""
    return {**os.environ, "COLGAN_STORAGE": url, "PYTHONUNBUFFERED": "1"}


def _cause(code: int) -> str:
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return "it hung"
