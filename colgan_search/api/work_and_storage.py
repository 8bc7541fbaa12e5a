"""Where a command finds its database and its files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from colgan_search import logs
from colgan_search.api.purpose import purpose_of
from colgan_search.config import StudyConfig, parse_config
from colgan_search.errors import ConfigError, DataError, PluginError, StudyError
from colgan_search.file_names import DEFAULT_WORK_DIR as DEFAULT_WORK_DIR
from colgan_search.file_names import WorkFolder
from colgan_search.files import is_full
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import OpenStudy, open_study, our_study_names

STORAGE_VARIABLE = "COLGAN_STORAGE"


def work_folder(path: Path, option: str = "--work-dir") -> WorkFolder:
    """The work folder at `path`. DataError, which names `option`, if it cannot be one; nothing is made yet."""
    _require_writable(path, path, option)
    return WorkFolder(path.absolute())


def output_file(path: Path, option: str = "--out") -> None:
    """DataError, which names `option`, unless a file can be written at `path`; nothing is made yet."""
    if path.is_dir():
        raise DataError(f"{option} {path}: is a folder; name a file")
    _require_writable(path.parent, path, option)


def require_study_folder(work: WorkFolder, name: str) -> None:
    """DataError unless the study's folders in the work folder can be made and written to, or are there."""
    study = work.study(name)
    for folder in (study, study / work.cache.name, work.spool(name), work.logs(name)):
        work_folder(folder, "--work-dir")


def existing_parent(path: Path) -> Path:
    """The path itself, or the nearest folder above it that exists."""
    return next(place for place in (path.absolute(), *path.absolute().parents) if _exists(place))


def _require_writable(folder: Path, given: Path, option: str) -> None:
    parent = existing_parent(folder)
    if not parent.is_dir():
        raise DataError(f"{option} {given}: {parent} is a file, not a folder; name a folder, or one that can be made")
    try:
        # Permissions alone do not tell: root may write to /proc, and yet nothing can be made there.
        TemporaryFile(dir=parent).close()
    except OSError as error:
        if is_full(error):
            return  # the place is right, and whoever writes there says that the disk is full
        raise DataError(f"{option} {given}: {parent} cannot be written to; name another place") from error


def _exists(path: Path) -> bool:
    """False as well for what cannot be looked at."""
    try:
        return path.exists()
    except OSError:
        return False


def require_study_name(name: str, config: StudyConfig, option: str) -> str:
    """The name, which also names a folder; ConfigError, which names `option`, if it is not a study's name."""
    return parse_config({**config.model_dump(mode="json"), "name": name}, option).name


def storage_text(storage: str | None, work: WorkFolder) -> str:
    """The storage that was named, or COLGAN_STORAGE's, or the SQLite file of the work folder. Checked as a URL."""
    text = storage or os.environ.get(STORAGE_VARIABLE) or f"sqlite:///{work.database}"
    url = normalise_url(text)
    logs.hide(url.password)
    return text


@contextmanager
def opened_storage(storage: str | None, work: WorkFolder, *, writing: bool = True) -> Iterator[Storage]:
    """The open database, closed at the end of the block. Without `writing`, a read-only replica will do."""
    opened = open_storage(storage_text(storage, work), writing=writing)
    try:
        yield opened
    finally:
        opened.close()


def study_of(storage: str | None, work: WorkFolder, name: str | None, *, writing: bool = True) -> OpenStudy:
    """The study `name`; if no name is given, the database's only one, or its only search. StudyError otherwise.

    Its storage stays open, for whoever asked. Without `writing`, a read-only replica will do.
    """
    opened = open_storage(storage_text(storage, work), writing=writing)
    try:
        return open_study(opened, name) if name is not None else _only_one(opened)
    except BaseException:
        opened.close()
        raise


def _only_one(storage: Storage) -> OpenStudy:
    """A search that was confirmed is still the only search: its confirmation is asked for by name."""
    names = our_study_names(storage)
    if len(names) == 1:
        return open_study(storage, names[0])
    with suppress(StudyError, ConfigError, PluginError):  # one that cannot be read may be meant
        studies = [open_study(storage, name) for name in names]
        searches = [study for study in studies if purpose_of(study.config) == "search"]
        if len(searches) == 1:
            return searches[0]
    known = ", ".join(names) or "none"
    raise StudyError(f"{storage.name}: name one of its studies with --study; it holds: {known}")


@contextmanager
def opened_study(
    storage: str | None, work: WorkFolder, name: str | None, *, writing: bool = True
) -> Iterator[OpenStudy]:
    """`study_of`, with its database closed at the end of the block."""
    study = study_of(storage, work, name, writing=writing)
    try:
        yield study
    finally:
        study.storage.close()
