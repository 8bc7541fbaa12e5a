"""Files fetched over the network: verified by SHA-256, under their final name only when whole."""

import http.client
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit

import torch

from colgan_search import logs
from colgan_search.errors import BadInput, ColganError, DataError, DiskFull, Interrupted, in_one_line
from colgan_search.extensions.datasets import Remote
from colgan_search.files import is_full, locked, never, require_space, sha256_of
from colgan_search.records import ShouldStop

log = logging.getLogger(__name__)

STALL_SECONDS = 60.0
"""A connection that gives nothing for so long has failed."""


def fetch(
    remote: Remote,
    folder: Path,
    mirror: str | None = None,
    say: Callable[[str], None] = log.info,
    should_stop: ShouldStop = never,
) -> Path:
    """The file in `folder`, fetched unless it is there with the right SHA-256 already; `mirror` replaces its folder.

    Exit code 2 (DataError): the address does not exist there (HTTP 4xx), or what came has another SHA-256, be it cut
    short or another file. Exit code 1: the network failed (ColganError) or the disk is full (DiskFull). In every
    case nothing is left under the file's name that was not there before. Interrupted if `should_stop` turns true
    while another process fetches the same file.
    """
    path = folder / remote.name
    with locked(path, should_stop):
        if path.is_file() and sha256_of(path) == remote.sha256:
            say(f"{path}: is there, its SHA-256 is right")
            return path
        require_space(folder, remote.bytes)
        address = remote.address if mirror is None else f"{mirror.rstrip('/')}/{remote.name}"
        by_hand = f"or put {remote.name} from {remote.address} into {folder} by hand"
        say(f"fetching {address} ({remote.bytes / 1e6:.0f} MB)")
        try:
            with _impatient():
                torch.hub.download_url_to_file(
                    address, str(path), hash_prefix=remote.sha256, progress=sys.stderr.isatty()
                )
        except HTTPError as error:
            kind = DataError if 400 <= error.code < 500 else ColganError
            raise kind(
                f"{address}: the server says {error.code} {error.reason}; check the address, name a mirror, {by_hand}"
            ) from error
        except RuntimeError as error:  # torch's word for a digest that is not the expected one
            raise DataError(
                f"{address}: what came is not the expected file or was cut short on the way ({error}); it was thrown "
                f"away; try again, name a mirror, {by_hand}"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if is_full(error):
                raise DiskFull(f"{path}: no space left on the device; nothing of it was kept") from error
            raise ColganError(
                f"{address}: could not be fetched ({error}); try again later, name a mirror, {by_hand}"
            ) from error
        finally:
            for partial in folder.glob(f"{remote.name}.*.partial"):  # also of an earlier attempt that was killed
                partial.unlink()
    return path


@contextmanager
def needed(what: str, remedy: str) -> Iterator[None]:
    """For files that a study cannot do without: whatever `fetch` meets in the block is a DataError with `remedy`.

    A full disk and a stop stay what they are.
    """
    try:
        yield
    except (DiskFull, Interrupted):
        raise
    except (ColganError, OSError) as error:
        raise DataError(f"{what} could not be downloaded ({in_one_line(error)}); {remedy}") from error


def check_mirror(mirror: str | None) -> None:
    """BadInput unless it is an address that can be fetched from."""
    if mirror is None:
        return
    try:
        parts = urlsplit(mirror)
    except ValueError as error:
        raise BadInput(f"`mirror` {mirror!r} is no address: {error}") from None
    logs.hide(parts.password)
    if parts.scheme not in ("http", "https", "file") or not (parts.netloc or parts.path):
        raise BadInput(f"`mirror` {mirror!r} is not allowed: give http://..., https://... or file:///folder")


@contextmanager
def _impatient() -> Iterator[None]:
    """torch's download waits for ever; inside the block a silent connection is an error."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(STALL_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
