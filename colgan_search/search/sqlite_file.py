"""Where an SQLite database may lie."""

import os
from pathlib import Path

import psutil

from colgan_search.errors import NothingThere, StorageError
from colgan_search.files import PRIVATE_FILE, make_private

NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "sshfs", "lustre", "gpfs", "ceph", "beegfs", "glusterfs", "9p", "afs")


def check_sqlite_file(path: Path, create: bool) -> None:
    """StorageError if the file is not there (without `create`), is no file, or lies on a network file system.

    With `create` it is made, for this user alone.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder; name an SQLite file")
    if not path.exists() and not create:
        raise NothingThere(f"{path}: there is no such database; `colgan-search launch` makes one")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise StorageError(f"{path}: cannot be read and written")
    parent = next(folder for folder in path.parents if folder.exists())
    mounts = [p for p in psutil.disk_partitions(all=True) if parent.resolve().is_relative_to(p.mountpoint)]
    kind = max(mounts, key=lambda p: len(p.mountpoint)).fstype.lower() if mounts else ""
    if any(name in kind for name in NETWORK_FILE_SYSTEMS):
        raise StorageError(
            f"{path} lies on a network file system ({kind}), where SQLite loses data; "
            "use a local disk, or PostgreSQL: --storage postgresql://..."
        )
    try:
        make_private(path.parent)
        if create:  # SQLite's own files beside it take their mode from it
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE))
    except OSError as error:
        raise StorageError(f"{path}: cannot be made: {error.strerror}") from None
