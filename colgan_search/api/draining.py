"""`drain`: all workers of a study checkpoint and leave, on whatever machine they are."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.search.budget import draining
from colgan_search.search.care.monitor import Monitor

LOOK_SECONDS = 1.0

LEAVE_SECONDS = 30.0
"""A worker that has heard of it is gone after so long."""


@dataclass(frozen=True)
class DrainRequest:
    """Whose workers. `lift` takes it back; `wait` returns when none is at work."""

    study: str | None = None
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    lift: bool = False
    wait: bool = False


@dataclass(frozen=True)
class Drained:
    """What was asked, and who is at work when this is told."""

    study: str
    lifted: bool
    workers: int
    seconds: float
    """After so long all of them have heard of it and left."""


def drain(request: DrainRequest, look: Callable[[int], None] = lambda workers: None) -> Drained:
    """Asks the study's workers, and those that come later, to drain; or lifts that. A launch of the study lifts it too.

    `look` is told the number at work now and then while it is waited for. StudyError as ever if there is no such study.
    """
    with opened_study(request.storage, work_folder(request.work_dir), request.study) as study:
        heard = study.config.service.lease_seconds / 4  # the next renewal
        monitor = Monitor(study)
        if request.lift:
            draining.lift(study.storage, study.uid)
            return Drained(study.name, True, len(monitor.snapshot().workers), 0.0)
        draining.ask(study.storage, study.uid)
        while (at_work := len(monitor.snapshot().workers)) and request.wait:
            look(at_work)
            time.sleep(LOOK_SECONDS)
        return Drained(study.name, False, at_work, heard + LEAVE_SECONDS if at_work else 0.0)
