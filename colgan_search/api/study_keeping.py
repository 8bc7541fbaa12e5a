"""`rename` and `delete`: a study as a whole."""

from dataclasses import dataclass
from pathlib import Path

from colgan_search.api.picture_stores import permitted
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_storage, work_folder
from colgan_search.errors import ColganError, DataError, StudyError
from colgan_search.file_names import WorkFolder
from colgan_search.search.care.removing import Removal, removal, remove_pictures, remove_study, require_no_workers
from colgan_search.search.care.renaming import rename_study
from colgan_search.search.database.storage import Storage
from colgan_search.search.study.opening import open_study


@dataclass(frozen=True)
class Deleted:
    """What is gone from the database, and what stays on this machine's disk."""

    study: str
    storage: str
    trials: int
    results: int
    folder: Path | None
    """The study's folder in the work folder; None if this machine has none."""
    files: int
    bytes: int
    place: str | None = None
    """The folder or the bucket of its pictures; None if they were in the database, or it had none."""
    pictures: int = 0
    """That were removed from there."""
    pictures_left: int = 0
    """That stay there, as it was told."""


@dataclass(frozen=True)
class Renamed:
    """Which studies have new names, and which folders of this machine."""

    names: dict[str, str]
    """Old name -> new name: the study, and its confirmations."""
    folders: tuple[str, ...]
    """New names of the folders in the work folder that were renamed."""


def what_goes(storage: str | None, work_dir: Path, name: str) -> Removal:
    """What `delete` would delete. StudyError if there is no such study, or if it is not ours."""
    with opened_storage(storage, work_folder(work_dir)) as opened:
        return removal(opened, name)


def delete(
    name: str,
    *,
    storage: str | None = None,
    work_dir: Path = DEFAULT_WORK_DIR,
    force: bool = False,
    leave_pictures: bool = False,
) -> Deleted:
    """Deletes a study from its database, and before that its pictures from the folder or the bucket that keeps them,
    unless `leave_pictures`; the work folder is not touched.

    StudyError if workers are at it, unless `force`; DataError if its pictures cannot be removed. The study is there
    then, and the same again goes on.
    """
    work = work_folder(work_dir)
    with opened_storage(storage, work) as opened:
        found = removal(opened, name)
        require_no_workers(found, force=force)
        pictures = 0 if leave_pictures else _remove_pictures(found)
        trials = remove_study(opened, found, force=force)
        folder = work.study(name)
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        there = folder if folder.exists() else None
        left = len(found.pictures) if leave_pictures else 0
        return Deleted(name, opened.name, trials, found.results, there, len(files), size, found.place, pictures, left)


def _remove_pictures(found: Removal) -> int:
    if found.artifacts is None or not found.pictures:
        return 0
    try:
        store = permitted(found.artifacts, found.name)
    except DataError as error:
        raise DataError(f"{error}. Nothing is deleted; `leave_pictures` deletes the study without them") from None
    return remove_pictures(found, store)


def rename(old: str, new: str, *, storage: str | None = None, work_dir: Path = DEFAULT_WORK_DIR) -> Renamed:
    """Renames a study and its confirmations, in the database and in this machine's work folder.

    StudyError, and nothing changed, if workers are at one of them, or if a name or a folder is taken.
    """
    work = work_folder(work_dir)
    with opened_storage(storage, work) as opened:
        study = open_study(opened, old)
        _require_free(opened, work, new)
        names = rename_study(study, new)
    folders = []
    for before, after in names.items():
        if work.study(before).is_dir():
            try:
                work.study(before).rename(work.study(after))
            except OSError as error:
                raise ColganError(
                    f"study {before} is now {after} in the database, but its folder {work.study(before)} could not be "
                    f"renamed: {error.strerror}; rename it by hand"
                ) from None
            folders.append(after)
    return Renamed(names, tuple(folders))


def _require_free(storage: Storage, work: WorkFolder, name: str) -> None:
    if work.study(name).exists():
        raise StudyError(
            f"{work.study(name)} is there already, of a study that another database holds or that was deleted; "
            f"move it away, or choose another name"
        )
