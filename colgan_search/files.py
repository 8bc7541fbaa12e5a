"""Atomic writes, free space, private folders; locks and digests of files that the workers of one machine share."""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from colgan_search.errors import DiskFull, Interrupted
from colgan_search.records import ShouldStop

FREE_SPACE_FLOOR_BYTES = 64 * 2**20
"""No write begins with less free space than this."""

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600

LOCK_POLL_SECONDS = 0.2
"""How often a worker that waits for another one's lock looks whether it was asked to stop."""


def make_private(folder: Path) -> None:
    """Makes the folder, and those above it that are not there, for this user alone: 0700, whatever the umask.

    What is there is left as it is. Everything inside is closed to others by it, with whatever mode it is made.
    """
    for place in [*reversed(folder.parents), folder]:
        if not place.exists():
            place.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def is_full(error: BaseException) -> bool:
    """True if something could not be written for want of space, on the disk or in the user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def require_space(folder: Path, needed_bytes: int = 0) -> None:
    """DiskFull unless the file system of `folder` has `needed_bytes` beside the floor."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + FREE_SPACE_FLOOR_BYTES:
        raise DiskFull(
            f"{folder}: {free / 2**20:.0f} MiB free, {(needed_bytes + FREE_SPACE_FLOOR_BYTES) / 2**20:.0f} MiB needed; "
            "free some space or choose another `work_dir`"
        )


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`, which replaces `path` whole when the block ends well.

    Synced to disk before the replacement; nothing of it is left behind when the block raises.
    DiskFull if the file system is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if is_full(error):
            raise DiskFull(f"{path}: no space left on the device; the file that was there before is whole") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes `text` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def never() -> bool:
    """The `should_stop` of a caller that never stops."""
    return False


@contextmanager
def locked(path: Path, should_stop: ShouldStop = never) -> Iterator[None]:
    """Holds the machine-wide lock beside `path`; the operating system frees it when its holder dies.

    Interrupted if `should_stop` turns true while another process holds it.
    """
    make_private(path.parent)
    lock = FileLock(path.with_name(path.name + ".lock"))
    while True:
        try:
            lock.acquire(timeout=LOCK_POLL_SECONDS)
            break
        except Timeout:
            if should_stop():
                raise Interrupted(f"stopped while waiting for another worker that makes {path}") from None
    try:
        yield
    finally:
        lock.release()


def sha256_of(path: Path) -> str:
    """All 64 hexadecimal digits of the SHA-256 of the file's bytes."""
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            sha.update(block)
    return sha.hexdigest()


def file_digest(path: Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the file's bytes."""
    return sha256_of(path)[:16]
