"""Outages: what counts as one, and how long we go on trying."""

import logging
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import optuna
import sqlalchemy as sa

from colgan_search.errors import Outage, Unreachable

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
LONG_CALL_SECONDS = 300.0
"""Longer than any call that only waits for the database or for its locks."""

OUTAGES: tuple[type[Exception], ...] = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
    sa.exc.TimeoutError,
    sa.exc.ResourceClosedError,
    sa.exc.PendingRollbackError,
    optuna.exceptions.StorageInternalError,
    Unreachable,
)


OPTUNA_FOLDER = str(Path(optuna.__file__).parent)

SQLITE_DISK = ("database or disk is full", "disk I/O error")
"""What SQLite says of a disk that is full or fails: it does not pass by itself."""


INSUFFICIENT_PRIVILEGE = "42501"
"""PostgreSQL's code for a missing GRANT."""
GRANTS = "the database's owner can grant it: docs/operations.md has the statements"


def is_outage(error: Exception) -> bool:
    """True for errors that pass when the database is back."""
    if isinstance(error, optuna.exceptions.StorageInternalError) and isinstance(
        error.__cause__, sa.exc.SQLAlchemyError
    ):
        error = error.__cause__
    if isinstance(error, sa.exc.DBAPIError):
        # SQLite has one class for "locked", which passes, for a file that is not the study's any more, and a full disk.
        passes = not any(sign in str(error.orig) for sign in ("no such table", *SQLITE_DISK))
        return (error.connection_invalidated or isinstance(error, OUTAGES)) and passes
    # Optuna 5.0 raises UnboundLocalError from its own `finally` when the database goes away during a tell.
    if isinstance(error, UnboundLocalError):
        return any(frame.filename.startswith(OPTUNA_FOLDER) for frame in traceback.extract_tb(error.__traceback__)[-1:])
    return isinstance(error, OUTAGES)


def is_refusal(error: BaseException) -> bool:
    """True if the database's role may not do what was tried: a GRANT is missing."""
    cause: BaseException | None = error
    while cause is not None and getattr(cause, "pgcode", None) != INSUFFICIENT_PRIVILEGE:
        cause = getattr(cause, "orig", None) or cause.__cause__
    return cause is not None


def through_outages(
    call: Callable[[], T],
    what: str,
    *,
    limit_seconds: float,
    give_up: threading.Event | None = None,
) -> T:
    """The result of `call`, tried again through an outage of at most `limit_seconds`.

    Raises Outage after that, or as soon as `give_up` is set while the database is away. Other errors pass.
    """
    since: float | None = None
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            result = call()
        except Exception as error:
            if not is_outage(error):
                raise
            failed = time.monotonic()
            # A call that worked for long before it failed had a database to work with.
            since = failed if since is None or failed - began > LONG_CALL_SECONDS else since
            away = failed - since
            if away > limit_seconds or (give_up is not None and give_up.is_set()):
                raise Outage(f"{what}: the database has been away for {away:.0f} s: {one_line(error)}") from error
            log.warning("%s: database away (%s), trying again in %.1f s", what, one_line(error), pause)
            time.sleep(pause) if give_up is None else give_up.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        else:
            if pause > FIRST_PAUSE_SECONDS:
                log.info("%s: database back after %.1f s", what, time.monotonic() - (since or began))
            return result


def one_line(error: BaseException) -> str:
    """The error's first line; of a database's error the driver's own words, which hold no password."""
    cause: BaseException = error
    while isinstance(cause, (sa.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError)):
        deeper = getattr(cause, "orig", None) or cause.__cause__
        if deeper is None:
            break
        cause = deeper
    text = str(cause).strip()
    return text.splitlines()[0] if text else type(cause).__name__
