"""Where an SQLite database may lie, and how one is read that cannot be written."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import quote

import psutil

from colgan_search.errors import NothingThere, StorageError
from colgan_search.files import PRIVATE_FILE, is_full, make_private

NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "sshfs", "lustre", "gpfs", "ceph", "beegfs", "glusterfs", "9p", "afs")


def check_sqlite_file(path: Path, create: bool, writing: bool = True) -> None:
    """StorageError unless an SQLite database can be used there; without `create` it must be there.

    Without `writing` one that can only be read will do. With `create` it is made, for this user alone.
    """
    if not path.exists() and not create:
        raise NothingThere(f"{path}: there is no such database; `launch` makes one")
    check_sqlite_place(path, writing)
    if create:
        try:
            make_private(path.parent)
            # SQLite's own files beside it take their mode from it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE))
        except OSError as error:
            raise StorageError(f"{path}: cannot be made: {error.strerror}") from None


def check_sqlite_place(path: Path, writing: bool = True) -> None:
    """StorageError unless an SQLite database is, or can be made, there; makes nothing."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder; name an SQLite file")
    if path.exists() and (problem := _problem(path, "rb")) is not None:
        raise StorageError(f"{path}: cannot be read: {problem}")
    parent = next(folder for folder in path.parents if folder.exists())
    mounts = [p for p in psutil.disk_partitions(all=True) if parent.resolve().is_relative_to(p.mountpoint)]
    kind = max(mounts, key=lambda p: len(p.mountpoint)).fstype.lower() if mounts else ""
    if any(name in kind for name in NETWORK_FILE_SYSTEMS):
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data; "
            "use a local disk, or PostgreSQL: `storage` postgresql://..."
        )
    if writing and (refused := unwritable(path)) is not None:
        there = "; status, best, trials and figures read it all the same" if path.exists() else ""
        raise StorageError(
            f"{path}: {refused} and must be to work on a study: allow it, or use a file in another folder{there}"
        )


def unwritable(path: Path) -> str | None:
    """Why the database at `path` cannot be written or made; None if it can. SQLite needs file and folder."""
    if path.exists() and (problem := _problem(path, "r+b")) is not None:
        return f"cannot be written to ({problem})"
    parent = next(folder for folder in path.parents if folder.exists())
    try:
        # Permissions alone do not tell: root may write to /proc, and yet nothing can be made there.
        TemporaryFile(dir=parent).close()
    except OSError as error:
        if not is_full(error):  # the place is right, and SQLite says that it is full
            return f"its folder {parent} cannot be written to ({error.strerror})"
    return None


def reading_address(path: Path) -> str:
    """SQLite's address of a database that is read where nothing can be written."""
    log = path.with_name(f"{path.name}-wal")
    # Without a log of late changes nobody is writing, and SQLite needs no file of its own beside it.
    settled = "" if log.exists() and log.stat().st_size else "&immutable=1"
    return f"file:{quote(str(path))}?mode=ro{settled}"


def _problem(path: Path, mode: str) -> str | None:
    try:
        path.open(mode).close()
    except OSError as error:
        return error.strerror
    return None
