"""A new connection to a PostgreSQL server: what it asks of the server, whether a pooler stands between, and room."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg2
import sqlalchemy as sa

from colgan_search.errors import in_one_line

NO_ANSWER_MILLISECONDS = 10_000
"""A connection whose data nobody acknowledges for so long is dead."""

CLIENT_OPTIONS = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": NO_ANSWER_MILLISECONDS,
    "application_name": "colgan-search",
}
"""Used where the URL does not say otherwise."""

REST_SETTING = "idle_in_transaction_session_timeout"

SERVER_SETTINGS = {
    REST_SETTING: "30s",  # a paused process's locks would hold up all others
    "tcp_keepalives_idle": "30",  # and so would a lost machine's
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""What every session asks of the server; behind a pooler every transaction asks for the first."""

FULL = (
    "too many clients already",
    "connection slots are reserved",  # "remaining connection slots are reserved for ..."
    "no more connections allowed",  # PgBouncer's max_client_conn
)
LIMITED = "too many connections for"  # a role or a database with a CONNECTION LIMIT

WORKERS_PER_CONNECTION = 0.9
"""A worker keeps one connection; the others are for `launch`, `status`, the dashboard and those just being ended."""


@dataclass(frozen=True)
class Server:
    """What a connection finds out about who answers."""

    pooled: bool
    """A pooler such as PgBouncer stands between: a session is ours only within a transaction."""
    connections: int
    """max_connections."""
    reserved: int
    """Of these, for superusers and the like."""

    @property
    def workers(self) -> int:
        """How many workers fit, if nobody else uses the server."""
        return int((self.connections - self.reserved) * WORKERS_PER_CONNECTION)


# A pooler tells us a process of its own invention.
_WHO = (
    "SELECT pg_backend_pid(), current_setting('max_connections')::int,"
    " current_setting('superuser_reserved_connections')::int"
    " + coalesce(current_setting('reserved_connections', true)::int, 0)"
)


def connect(dialect: sa.Dialect, url: sa.URL, known: Server | None) -> tuple[Any, Server]:
    """A connection of the driver that has our settings, and who answered.

    psycopg2.OperationalError if there is none; with what to do if the server, `known` from before or not, is full.
    """
    arguments, options = dialect.create_connect_args(url)
    try:
        connection: Any = dialect.connect(*arguments, **{**CLIENT_OPTIONS, **options})
    except psycopg2.OperationalError as error:
        advice = _advice(str(error), known)
        raise psycopg2.OperationalError(f"{in_one_line(error, None)}; {advice}") if advice else error from None
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(_WHO)
        process, connections, reserved = cursor.fetchone()
        server = Server(process != connection.get_backend_pid(), connections, reserved)
        if not server.pooled:
            cursor.execute(";".join(f"SET {name} = '{value}'" for name, value in SERVER_SETTINGS.items()))
    connection.autocommit = False
    return connection, server


def let_rest(connection: sa.Connection, time: str) -> None:
    """How long this transaction may rest before the server ends it."""
    connection.exec_driver_sql(f"SET LOCAL {REST_SETTING} = '{time}'")


@contextmanager
def kept_alive(connection: sa.Connection, seconds: float) -> Iterator[None]:
    """Lets a transaction rest in the block for as long as this process runs: a thread speaks every so many seconds."""
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(seconds):
            try:
                connection.execute(sa.select(1))
            except sa.exc.SQLAlchemyError:
                return  # the end of the transaction says so

    thread = threading.Thread(target=speak, name="lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _advice(words: str, server: Server | None) -> str | None:
    if LIMITED in words:
        return "raise the CONNECTION LIMIT of the role or the database, or start fewer workers"
    if "max_client_conn" in words:
        return "raise max_client_conn in pgbouncer.ini: each worker keeps one connection"
    if not any(sign in words for sign in FULL):
        return None
    if server is not None:
        room = f"its max_connections is {server.connections}, {server.reserved} of them reserved, so that about "
        room += f"{server.workers} workers fit"
    else:
        room = "max_connections is 100 where nobody has set it, 3 of them reserved, so that about 87 workers fit"
    return (
        f"{room} (each keeps one connection); raise max_connections in postgresql.conf and "
        "restart it, put PgBouncer (pool_mode = transaction) before it, or wait for room with `wait_minutes`"
    )
