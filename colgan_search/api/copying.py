"""`copy`: a study into another database, to back it up or to go on there."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from colgan_search import logs
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, require_study_name, work_folder
from colgan_search.errors import StudyError
from colgan_search.file_names import WorkFolder
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care.copying import copy_study
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import OpenStudy


@dataclass(frozen=True)
class CopyRequest:
    """The study `study` of `storage` (None: the only one, the usual one) into `target` as `name` (None: the same)."""

    target: str
    storage: str | None = None
    study: str | None = None
    name: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR


@dataclass(frozen=True)
class Copied:
    """The copy's name and database, and how far it is."""

    name: str
    storage: str
    trials: int
    budget: Budget


def copy(request: CopyRequest, on_trial: Callable[[int, int], None] = lambda done, total: None) -> Copied:
    """Copies the study; the original stays as it is. See `search.copying.copy_study` for what it refuses."""
    work = work_folder(request.work_dir)
    url = normalise_url(request.target)
    logs.hide(url.password)
    with opened_study(request.storage, work, request.study) as source:
        name = require_study_name(request.name or source.name, source.config, "--name")
        _require_delivered(source, work)
        if url == source.storage.url and name == source.name:
            raise StudyError(f"{source.storage.name}: the copy needs another database (--to) or another name (--name)")
        target = open_storage(request.target, create=True)
        try:
            made = copy_study(source, target, name, on_trial)
            return Copied(made.name, target.name, len(made.trials()), made.slots.budget())
        finally:
            target.close()


def _require_delivered(source: OpenStudy, work: WorkFolder) -> None:
    """StudyError if results wait on this machine: the copy would compute them again."""
    waiting = len(list(work.spool(source.name).glob(f"{source.uid}-*.json")))
    if waiting:
        raise StudyError(
            f"{work.spool(source.name)}: {waiting} results of study {source.name!r} wait to be delivered; "
            "attach a worker (`colgan-search worker`) and drain it, then copy"
        )
