"""The study's database: one engine for us and Optuna, and named locks. PostgreSQL, or SQLite on a local disk."""

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy as sa
from filelock import FileLock
from filelock import Timeout as FileLockTimeout
from optuna.storages import BaseStorage, RDBStorage

from colgan_search import logs
from colgan_search.errors import StorageError, in_one_line
from colgan_search.search.database import connecting
from colgan_search.search.database.driver_waiting import wait_in_python
from colgan_search.search.database.sqlite_file import reading_address
from colgan_search.search.database.urls import hide_password, passwords
from colgan_search.search.optuna_private import backend

wait_in_python()
# Our own log says what happens, once.
optuna.logging.set_verbosity(optuna.logging.WARNING)

SQLITE_BUSY_SECONDS = 10
"""SQLite waits where no signal is heard; who is locked out for longer tries again, or drains."""
LOCK_IDLE_SECONDS = 60
"""The server ends a named lock whose owner is silent for so long: paused, or on a machine that is lost."""
LOCK_TIMEOUT_SECONDS = 120
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.05, 1.0
"""Between two looks whether a lock is free; sixty workers that look all the time would leave its owner no processor."""

POOL_OPTIONS = {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 1, "max_overflow": 0}
"""One connection for all threads, each in its turn: a server has 100 for all workers. Do not nest transactions."""


class Storage:
    """An open database: our engine, Optuna's storage on the same one, and named locks.

    SQLite, which has no connections to spare, has a second engine for Optuna: ours begins its transactions itself.
    """

    def __init__(self, url: sa.URL, *, only_reading: bool = False) -> None:
        """`only_reading`: an SQLite file where neither it nor anything beside it can be written."""
        self.url = url
        self._only_reading = only_reading
        for secret in passwords(url):
            logs.hide(secret)
        self.server: connecting.Server | None = None
        if self.is_sqlite:
            self.engine = sa.create_engine(url, creator=self._connect)
            sa.event.listen(self.engine, "connect", _leave_begin_to_us)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        else:
            self.engine = sa.create_engine(url, creator=self._connect, use_native_hstore=False, **POOL_OPTIONS)
            sa.event.listen(self.engine, "begin", self._begin_postgresql)
        self._backend: RDBStorage | None = None
        self._optuna: BaseStorage | None = None
        self._spare: list[Any] = []
        self._opening = threading.Lock()

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @property
    def name(self) -> str:
        """The URL without its password, for people."""
        return hide_password(self.url)

    @property
    def url_with_password(self) -> str:
        """For a child's environment only: never printed, logged or put on a command line."""
        return self.url.render_as_string(hide_password=False)

    @property
    def optuna(self) -> BaseStorage:
        """Optuna's own storage with its cache of finished trials."""
        with self._opening:
            if self._optuna is None:
                self._backend = self._new_backend(create=False)
                self._optuna = backend.with_cache(self._backend)
            return self._optuna

    def create_optuna_tables(self) -> None:
        """Makes Optuna's tables, or leaves those that are there."""
        made = self._new_backend(create=True)
        if self.is_sqlite:
            made.engine.dispose()

    def check_optuna_tables(self) -> None:
        """StorageError if Optuna's tables are of a version that this one cannot work with."""
        cached = self.optuna
        try:
            backend.check_tables(
                cached, lambda: sa.create_engine(self.url, creator=self._connect, poolclass=sa.NullPool)
            )
        except RuntimeError as error:
            raise StorageError(f"{self.name}: {in_one_line(error, None)}") from None

    def _new_backend(self, *, create: bool) -> RDBStorage:
        """Optuna's storage. It would take the text of a URL as a template: it sees none."""
        if self.is_sqlite:
            return backend.new_backend("sqlite:///file.db", self._connect, create=create)
        made = backend.new_backend("postgresql+psycopg2://", self._taken, create=create)
        made.remove_session()
        self._spare.append(_detached(made.engine))
        backend.use_engine(made, self.engine)
        return made

    def _connect(self) -> Any:
        """A new connection of the driver, for all engines."""
        dialect = self.engine.dialect
        if self._spare:
            return self._spare.pop()
        if not self.is_sqlite:
            connection, self.server = connecting.connect(dialect, self.url, self.server)
            return connection
        arguments, options = dialect.create_connect_args(self.url)
        options = {"timeout": SQLITE_BUSY_SECONDS, **options}
        if self._only_reading:
            connection = dialect.connect(reading_address(Path(str(self.url.database))), uri=True, **options)
        else:
            connection = dialect.connect(*arguments, **options)
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL"):
                connection.execute(statement).close()
        # A text that is no text would count as an outage, and be waited for.
        connection.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        return connection

    def _taken(self) -> Any:
        """Our engine's connection, which is given back as a spare one: many workers that open at once need one each."""
        return _detached(self.engine)

    def _begin_postgresql(self, connection: sa.Connection) -> None:
        if self.server is not None and self.server.pooled:
            connecting.let_rest(connection, connecting.SERVER_SETTINGS[connecting.REST_SETTING])

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One read-write transaction; on SQLite it holds the write lock from its start (BEGIN IMMEDIATE)."""
        with self.engine.connect() as connection:
            writing = connection.execution_options(colgan_writes=True)
            with writing.begin():
                yield writing

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """A lock between all processes on this database; it ends with its holder, killed or not."""
        digest = hashlib.sha256(f"colgan/{name}".encode()).digest()
        if self.is_sqlite:
            try:
                with FileLock(f"{self.url.database}.{digest[:4].hex()}.lock", timeout=LOCK_TIMEOUT_SECONDS):
                    yield
            except FileLockTimeout as error:
                raise sa.exc.OperationalError(f"lock {name}", None, error) from error
            return
        key = int.from_bytes(digest[:8], "big", signed=True)
        until = time.monotonic() + LOCK_TIMEOUT_SECONDS
        pause = FIRST_POLL_SECONDS
        while True:
            # One that waits holds no connection meanwhile: a pooler has few, and the owner needs a second one.
            with self.engine.connect() as connection, connection.begin():
                if connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(key))):
                    # This transaction rests while its owner works with the engine's next connection.
                    connection.detach()
                    connecting.let_rest(connection, f"{LOCK_IDLE_SECONDS}s")
                    with connecting.kept_alive(connection, LOCK_IDLE_SECONDS / 4):
                        yield
                    return
            if time.monotonic() > until:
                raise sa.exc.OperationalError(f"lock {name}", None, TimeoutError("held by another process"))
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(1.5 * pause, LONGEST_POLL_SECONDS)

    def forget_thread(self) -> None:
        """Closes Optuna's session of the calling thread, before that thread ends."""
        if self._backend is not None:
            self._backend.remove_session()

    def close(self) -> None:
        """Closes all connections."""
        self.forget_thread()
        self.engine.dispose()
        while self._spare:
            self._spare.pop().close()
        if self._backend is not None:
            self._backend.engine.dispose()  # SQLite's second one


def _detached(engine: sa.Engine) -> Any:
    """A connection of the driver that the engine has forgotten."""
    pooled = engine.raw_connection()
    connection = pooled.driver_connection
    pooled.detach()
    return connection


def _leave_begin_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("colgan_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
