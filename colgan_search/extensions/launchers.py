"""Launchers: who starts the workers of a study. Built in: `local`, processes of this machine.

The scheduler of a cluster is another one: it writes the files that a person can read, and hands them in.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry


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

    def last_words(self, number: int) -> str:
        """The last line of worker `number`, and where the rest is."""

    def drain(self) -> None:
        """Asks every worker to checkpoint, give its slot back and leave."""

    def kill(self) -> None:
        """Ends every worker at once."""


class Launcher(ABC):
    """One way to start workers."""

    name: ClassVar[str]
    settings: ClassVar[type[Section]] = Section
    here: ClassVar[bool] = True
    """True = the workers run on this machine: what they need is looked for here before the study is made."""

    @abstractmethod
    def plan(self, settings: Any, wanted: WorkersWanted) -> Sequence[str]:
        """One word per worker: where it is to run. Nothing is started. DeviceError if that makes no sense here."""

    @abstractmethod
    def start(self, settings: Any, study: Any, work: Path, planned: Sequence[str]) -> Workers:
        """Starts, or hands in, the planned workers of a `search.study.opening.OpenStudy`; `work`: the work folder."""


LAUNCHERS: Registry[Launcher] = Registry(
    "launcher",
    "colgan_search.launchers",
    Launcher,  # type: ignore[type-abstract]
    {"local": "colgan_search.launchers.local_launcher:LOCAL"},
)
