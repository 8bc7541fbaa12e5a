"""Files that the workers of one machine share: made once, under a lock, and checked when read."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from colgan_search.errors import Interrupted
from colgan_search.files import make_private
from colgan_search.records import ShouldStop

LOCK_POLL_SECONDS = 0.2
"""How often a worker that waits for another one's lock looks whether it was asked to stop."""


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
