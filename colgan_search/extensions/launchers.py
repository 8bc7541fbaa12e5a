"""Launchers: who starts the workers of a study: this machine (`local`), `slurm`, `kubernetes`, `skypilot`, a package's.

A scheduler's launcher writes files that a person can read, and hands them in.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import Field

from colgan_search.errors import BadInput, DeviceError
from colgan_search.extensions.checks import Check
from colgan_search.extensions.section import Section
from colgan_search.registry import Registry

MOST_WORKERS = 10_000

LEFT_CODE = 143
"""Exit code of a worker that was asked to leave, where a scheduler would take 0 for the end of the study."""


class LauncherSettings(Section):
    """Who starts the workers of a study, and how. Not part of the fingerprint, and not kept in the database."""

    kind: str = Field("local", description="who starts the workers: local, slurm, kubernetes, skypilot, or a package's")
    workers: int | None = Field(
        None, ge=0, le=100_000, description="worker processes; null = as many as are sensible, 0 = none"
    )
    checkpoints: str | None = Field(
        None,
        max_length=1000,
        pattern=r"^[A-Za-z0-9_./$][A-Za-z0-9_./$@+=:{} -]*$",
        description="folder or address (s3://BUCKET/PATH) where all workers find one another's checkpoints",
    )


@dataclass(frozen=True)
class WorkersWanted:
    """What a person asks for."""

    runtime: Any
    """A config's `runtime`: device, threads."""
    workers: int | None = None
    """None = as many as are sensible; 0 = none."""
    device: str | None = None
    """auto, cpu, cuda or cuda:N; None = the settings' own."""
    workers_per_gpu: int | str | None = None
    """How many share a GPU; `auto` = as many as its memory takes; None = one."""


class Workers(Protocol):
    """The workers that one launch has started."""

    @property
    def draining(self) -> bool:
        """True once they were asked to drain, or were killed."""

    def poll(self) -> int:
        """Sees to those that ended; the number that run."""

    @property
    def running(self) -> int:
        """The number that run."""

    @property
    def failed(self) -> list[int]:
        """The numbers of those that failed and are not started again."""

    @property
    def refused(self) -> bool:
        """True if every one ended because something that the user gave is wrong."""

    @property
    def stays(self) -> str | None:
        """How a person ends them, if they go on without this process; None if they drain with it."""

    def last_words(self, number: int) -> str:
        """The last line of worker `number`, and where the rest is."""

    def drain(self) -> None:
        """Asks every worker to checkpoint, give its slot back and leave; only stops watching them if they stay."""

    def kill(self) -> None:
        """Ends every worker at once; only stops watching them if they stay."""


class Launcher(ABC):
    """One way to start workers."""

    name: ClassVar[str]
    settings: ClassVar[type[LauncherSettings]] = LauncherSettings
    here: ClassVar[bool] = True
    """True = the workers run on this machine: what they need is looked for here before the study is made."""

    @abstractmethod
    def plan(self, settings: Any, wanted: WorkersWanted) -> Sequence[str]:
        """One word per worker: where it is to run. Nothing is started. DeviceError if that makes no sense here."""

    @abstractmethod
    def start(self, settings: Any, study: Any, work: Path, planned: Sequence[str]) -> Workers:
        """Starts, or hands in, the planned workers of a `search.study.opening.OpenStudy`; `work`: the work folder."""

    def checks(self, settings: Any) -> Iterator[Check]:
        """What a doctor finds out about it from this machine."""
        yield from ()


@dataclass(frozen=True)
class Order:
    """What the files of a scheduler are made from, but for the settings; no password is among it."""

    study: str
    storage: str | None
    """The database's URL without its password; None = the files bring a database with them."""
    secret: str | None
    """The file with the database's password, of mode 0600; None = none is needed, or the workers' machines have it."""
    work: str
    """The launching machine's work folder."""
    out: str
    """The folder that the files are written to."""
    python: str
    """The interpreter that has this package."""
    config: str
    """The study's config as YAML."""
    trials: int
    outage_minutes: float
    own_files: Mapping[str, str] | None = None
    """Option -> path of the files of their own that workers are told to read (`--data-root`, `--weights`)."""


@dataclass(frozen=True)
class HandedIn:
    """What a scheduler has taken."""

    alive: Callable[[], int | None]
    """How many of the study's workers it has, waiting or at work; None = it does not say now."""
    last_words: Callable[[], str]
    """What it knows of workers that have ended."""
    tidy: Callable[[], None] = lambda: None
    """Takes back what still waits; called when the study is done."""


class ClusterLauncher(Launcher):
    """A scheduler: files are written, handed in, and the workers go on whatever becomes of this process."""

    here = False
    secret_name: ClassVar[str]
    """Of the file beside the others that has the database's password, of mode 0600."""

    def plan(self, settings: Any, wanted: WorkersWanted) -> Sequence[str]:
        """So many elements, one unless more are wanted."""
        workers = 1 if wanted.workers is None else wanted.workers
        if not 0 <= workers <= MOST_WORKERS:
            raise DeviceError(f"`workers` {workers} is not allowed: {self.name} is asked for 0 to {MOST_WORKERS:,}")
        return [self.name] * workers

    folders: ClassVar[tuple[str, ...]] = ()
    """Empty folders beside the files."""

    @abstractmethod
    def secret_text(self, password: str) -> str:
        """What that file holds."""

    @abstractmethod
    def files(self, settings: Any, order: Order) -> Mapping[str, str]:
        """Name -> text of every file. The same for the same input: nothing is looked at, nothing is written."""

    @abstractmethod
    def hand_in(self, settings: Any, study: str, folder: Path, environment: Mapping[str, str]) -> HandedIn:
        """Gives the files in `folder` to the scheduler, unless it has the study's workers already.

        BadInput in its own words if it refuses. `environment`: of the scheduler's program.
        """

    @abstractmethod
    def by_hand(self, settings: Any, folder: Path) -> str:
        """The command line that hands the files in."""

    def brings_database(self, settings: Any) -> bool:
        """True if a database is among the files, and what makes the study in it: nothing of it is seen from here."""
        return False

    def random_secrets(self, settings: Any) -> Sequence[str]:
        """Files with passwords that are made up where there are none."""
        return ()

    def watched(self, settings: Any, study: str) -> str:
        """How a person sees a study in a database that was brought along."""
        return ""

    def start(self, settings: Any, study: Any, work: Path, planned: Sequence[str]) -> Workers:
        """Not by itself: the files are written first (`launchers.ordering`)."""
        raise BadInput(f"{self.name}: its files are to be written before they are handed in")


LAUNCHERS: Registry[Launcher] = Registry(
    "launcher",
    "colgan_search.launchers",
    Launcher,  # type: ignore[type-abstract]
    {
        "local": "colgan_search.launchers.local_launcher:LOCAL",
        "slurm": "colgan_search.launchers.slurm:SLURM",
        "kubernetes": "colgan_search.launchers.kubernetes:KUBERNETES",
        "skypilot": "colgan_search.launchers.skypilot:SKYPILOT",
    },
)
