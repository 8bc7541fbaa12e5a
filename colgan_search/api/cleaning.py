"""`clean`: what nobody needs any more in the work folder: shown, and removed if told so."""

from dataclasses import dataclass
from pathlib import Path

from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, work_folder
from colgan_search.errors import ColganError
from colgan_search.search.care.housekeeping import Leftover, of_trials, remove
from colgan_search.search.care.leftovers import of_caches, of_logs, of_spool


@dataclass(frozen=True)
class CleanRequest:
    """What of which study; without `yes` nothing is removed."""

    storage: str | None = None
    study: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    caches: bool = False
    """True = also classifiers and reference statistics that no study of the database was measured by."""
    yes: bool = False


@dataclass(frozen=True)
class Cleaned:
    """What was found in `folder`, and whether it is gone now."""

    study: str
    folder: Path
    leftovers: tuple[Leftover, ...]
    removed: bool

    @property
    def bytes(self) -> int:
        """Of all leftovers together."""
        return sum(leftover.bytes for leftover in self.leftovers)


def clean(request: CleanRequest) -> Cleaned:
    """Finds, and with `request.yes` removes, what finished trials and dead workers have left on this machine.

    Never what belongs to a trial that is not finished, nor a result that waits to be delivered.
    """
    work = work_folder(request.work_dir)
    with opened_study(request.storage, work, request.study) as study:
        found = [*of_trials(study, work), *of_spool(study, work), *of_logs(study, work)]
        if request.caches:
            found += of_caches(study, work)
        if request.yes:
            try:
                remove(found)
            except OSError as error:
                raise ColganError(f"{error.filename}: cannot be removed: {error.strerror}") from None
        return Cleaned(study.name, work.root, tuple(found), request.yes)
