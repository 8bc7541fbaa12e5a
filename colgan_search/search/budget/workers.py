"""Who works on a study: one row per worker process, for the live view, and to see which local ones are dead."""

import json
import logging
import os
import re
import socket
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import psutil
import sqlalchemy as sa
from pydantic import Field, TypeAdapter
from sqlalchemy.dialects import postgresql, sqlite

from colgan_search.errors import StudyError
from colgan_search.search import trust
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import now, workers
from colgan_search.version import __version__

log = logging.getLogger(__name__)

CREATE_TIME_TOLERANCE_SECONDS = 1.0

JOB_VARIABLE, JOB = "COLGAN_JOB", re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
"""Where the files of a scheduler say which of its jobs a worker is."""


@dataclass(frozen=True)
class ProcessId:
    """A process that can be recognised later on its own machine, and only there."""

    host: trust.Word
    machine: trust.Word
    pid: Annotated[int, Field(strict=True, ge=1, le=trust.LARGEST_NUMBER)]
    created: trust.Real
    """Seconds since 1970 UTC; moves when the clock is set."""
    ticks: Annotated[int, Field(strict=True, ge=0)] | None
    """Start in clock ticks since the boot, where the system tells it; nothing moves it."""
    job: trust.Word | None = None
    """What the scheduler that started it calls it."""

    @classmethod
    def mine(cls) -> "ProcessId":
        """This process."""
        pid = os.getpid()
        job = os.environ.get(JOB_VARIABLE, "")
        created, ticks = psutil.Process().create_time(), _start_ticks(pid)
        return cls(socket.gethostname(), _machine(), pid, created, ticks, job if JOB.fullmatch(job) else None)

    @property
    def name(self) -> str:
        """The worker's name: host, process number, start and job; unique over machines and restarts."""
        start = f"{int(self.created * 100) % 10**8:08d}"
        return ":".join([self.host, str(self.pid), start, *([] if self.job is None else [self.job])])

    def is_dead_here(self) -> bool:
        """True if it ran on this machine (this boot, these process numbers) and runs no more."""
        if self.machine != _machine():
            return False
        try:
            os.kill(self.pid, 0)
        except PermissionError:
            return False  # somebody else's; with hidepid, /proc would not even show it
        except ProcessLookupError:
            return True
        try:
            process = psutil.Process(self.pid)
            same = _start_ticks(self.pid) == self.ticks
            if self.ticks is None:
                same = abs(process.create_time() - self.created) < CREATE_TIME_TOLERANCE_SECONDS
            return not same or process.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True


@lru_cache(maxsize=1000)
def _warn_once(text: str) -> None:
    log.warning("%s", text)  # a live view reads the rows every second


def _machine() -> str:
    """This boot of this machine and this space of process numbers (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{socket.gethostname()}/{psutil.boot_time():.0f}"


def _start_ticks(pid: int) -> int | None:
    try:
        # Field 22; the second field is the program's name in brackets and may hold spaces.
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        )
    except (OSError, IndexError, ValueError):
        return None


class WorkerState(str, Enum):
    """What a worker does, as its row in the database has it."""

    STARTING = "starting"
    WAITING = "waiting"
    TRAINING = "training"
    FAULTED = "faulted"
    LEFT = "left"
    DIED = "died"

    def __str__(self) -> str:
        return self.value


GONE = (WorkerState.LEFT, WorkerState.DIED)
"""States of a worker that will not come back."""

PROCESS, QUIET, STATE = TypeAdapter(ProcessId), TypeAdapter[float](trust.Real), TypeAdapter(WorkerState)


@dataclass(frozen=True)
class WorkerRow:
    """One worker as the database knows it.

    `quiet`: seconds since it was last heard of; `up`: seconds from its start until then, None if not known.
    """

    worker: str
    process: ProcessId
    device: str
    version: str
    state: WorkerState
    quiet: float
    trial_number: int | None
    epoch: int | None
    epochs: int | None
    last_is: float | None
    up: float | None = None


class Registry:
    """The workers of one study."""

    def __init__(self, storage: Storage, uid: str) -> None:
        self.storage = storage
        self.uid = uid

    def enter(self, process: ProcessId, device: str) -> None:
        """Adds this worker. One that is there already (the answer to the first time was lost) begins anew."""
        who = {"uid": self.uid, "worker": process.name, "process": json.dumps(vars(process)), "version": __version__}
        row = dict.fromkeys(("trial_number", "epoch", "epochs", "last_is"))
        row |= {"device": device, "state": WorkerState.STARTING.value, "started": now(), "seen": now()}
        insert = sqlite.insert if self.storage.is_sqlite else postgresql.insert
        with self.storage.transaction() as db:
            db.execute(
                insert(workers).values(who | row).on_conflict_do_update(index_elements=["uid", "worker"], set_=row)
            )

    def update(
        self,
        worker: str,
        state: WorkerState,
        trial_number: int | None = None,
        epoch: int | None = None,
        epochs: int | None = None,
        last_is: float | None = None,
    ) -> None:
        """Says what the worker does now."""
        with self.storage.transaction() as db:
            db.execute(
                workers.update()
                .where(self._is(worker))
                .values(
                    state=WorkerState(state).value,
                    trial_number=trial_number,
                    epoch=epoch,
                    epochs=epochs,
                    last_is=last_is,
                    seen=now(),
                )
            )

    def all(self) -> list[WorkerRow]:
        """Every worker that ever entered and is not forgotten, in the order of their start.

        One that is not as a worker describes itself is passed over, and spoken of once: a single bad row, which every
        worker's role may write, must not keep the others from the study.
        """
        with self.storage.engine.connect() as db:
            rows = db.execute(
                sa.select(
                    workers,
                    (now() - workers.c.seen).label("quiet"),
                    (workers.c.seen - workers.c.started).label("up"),
                )
                .where(workers.c.uid == self.uid)
                .order_by(workers.c.started, workers.c.worker)
            ).all()
        found = []
        for row in rows:
            try:
                found.append(self._read(row))
            except StudyError as error:
                _warn_once(f"study {self.uid}: worker {trust.shown(row.worker)} is passed over: {error}")
        return found

    def names(self) -> set[str]:
        """The workers' names as they stand, also of those that `all` passes over. To compare with, not to show."""
        with self.storage.engine.connect() as db:
            return set(db.execute(sa.select(workers.c.worker).where(workers.c.uid == self.uid)).scalars())

    def _read(self, row: Any) -> WorkerRow:
        trust.row(row, workers, f"{self.storage.name}: study {self.uid}")
        where = f"worker {trust.shown(row.worker)}"
        quiet: float = trust.read(QUIET, row.quiet, f"{where}: seen")
        return WorkerRow(
            row.worker,
            trust.read(PROCESS, trust.from_json(row.process, where), f"{where}: process"),
            row.device,
            row.version,
            trust.read(STATE, row.state, f"{where}: state"),
            abs(quiet),  # heard of in the future: not since the clock was set back
            row.trial_number,
            row.epoch,
            row.epochs,
            row.last_is,
            trust.read(QUIET, row.up, f"{where}: started"),
        )

    def dead_here(self) -> list[str]:
        """The names of workers that ran on this machine and are gone without having left."""
        return [row.worker for row in self.all() if row.state not in GONE and row.process.is_dead_here()]

    def mark_dead(self, names: list[str]) -> None:
        """Records that these workers are gone."""
        with self.storage.transaction() as db:
            db.execute(
                workers.update()
                .where(workers.c.uid == self.uid, workers.c.worker.in_(names))
                .values(state=WorkerState.DIED.value)
            )

    def _is(self, worker: str) -> sa.ColumnElement[bool]:
        return (workers.c.uid == self.uid) & (workers.c.worker == worker)
