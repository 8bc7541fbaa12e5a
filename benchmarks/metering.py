"""Counts what a process asks of its database: statements and round trips, and those of them under the ask lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2.extensions
import sqlalchemy as sa

from colgan_search.search.proposing.ask_lock import AskLock


@dataclass
class Counts:
    """Since the metering began."""

    statements: int = 0
    """What SQLAlchemy executes: SELECT, INSERT, UPDATE; not BEGIN, COMMIT, or a look whether a connection lives."""
    round_trips: int = 0
    """Every question that psycopg2 waits for the answer of: the statements and all of those. 0 for SQLite."""
    locked_statements: int = 0
    """Statements from the ask lock's taking to its end."""
    locked_round_trips: int = 0
    """Round trips from the ask lock's taking to its end."""


@contextmanager
def metering() -> Iterator[Counts]:
    """Counts, for all connections of this process, what happens in the block."""
    counts = Counts()
    locked = [False]
    wait = psycopg2.extensions.get_wait_callback()
    enter, leave = AskLock.__enter__, AskLock.__exit__

    def waited(connection: Any) -> None:
        counts.round_trips += 1
        counts.locked_round_trips += locked[0]
        wait(connection)

    def executes(*_: Any) -> None:
        counts.statements += 1
        counts.locked_statements += locked[0]

    def taken(lock: AskLock) -> AskLock:
        result = enter(lock)
        locked[0] = True
        return result

    def left(lock: AskLock, *error: Any) -> None:
        leave(lock, *error)
        locked[0] = False

    psycopg2.extensions.set_wait_callback(waited)
    sa.event.listen(sa.Engine, "before_cursor_execute", executes)
    AskLock.__enter__, AskLock.__exit__ = taken, left  # type: ignore[method-assign, assignment]
    try:
        yield counts
    finally:
        AskLock.__enter__, AskLock.__exit__ = enter, leave  # type: ignore[method-assign]
        sa.event.remove(sa.Engine, "before_cursor_execute", executes)
        psycopg2.extensions.set_wait_callback(wait)
