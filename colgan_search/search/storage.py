"""The study's database: two engines, ours and Optuna's, and named locks. PostgreSQL, or SQLite on a local disk."""

import hashlib
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
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage

from colgan_search import logs
from colgan_search.errors import StorageError, Unreachable
from colgan_search.search import tables
from colgan_search.search.retry import is_outage
from colgan_search.search.sqlite_file import check_sqlite_file
from colgan_search.search.urls import hide_password, normalise_url, passwords
from colgan_search.search.waiting import wait_in_python

wait_in_python()
# Our own log says what happens, once.
optuna.logging.set_verbosity(optuna.logging.WARNING)

NO_ANSWER_MILLISECONDS = 10_000
"""A connection whose data nobody acknowledges for so long is dead."""
SQLITE_BUSY_SECONDS = 10
"""SQLite waits where no signal is heard; who is locked out for longer tries again, or drains."""
LOCK_IDLE_SECONDS = 60
"""The server ends a named lock whose owner is silent for so long: paused, or on a machine that is lost."""
LOCK_TIMEOUT_SECONDS = 120
LOCK_POLL_SECONDS = 0.1

POSTGRESQL_DEFAULTS = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": NO_ANSWER_MILLISECONDS,
    "application_name": "colgan-search",
}
"""Used where the URL does not say otherwise."""

SERVER_SETTINGS = {
    "idle_in_transaction_session_timeout": "30s",  # a paused process's locks would hold up all others
    "tcp_keepalives_idle": "30",  # and so would a lost machine's
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""What every session asks of the server."""


class Storage:
    """An open database: our engine, Optuna's storage on the same database, and named locks."""

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        for secret in passwords(url):
            logs.hide(secret)
        self.engine = sa.create_engine(url, creator=self._connect, **_pool_options(url))
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _leave_begin_to_us)
            sa.event.listen(self.engine, "begin", _begin_sqlite)
        self._backend: RDBStorage | None = None
        self._optuna: BaseStorage | None = None
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
                self._optuna = optuna.storages.get_storage(self._backend)
            return self._optuna

    def create_optuna_tables(self) -> None:
        """Makes Optuna's tables, or leaves those that are there."""
        self._new_backend(create=True).engine.dispose()

    def check_optuna_tables(self) -> None:
        """StorageError if Optuna's tables are of a version that this one cannot work with."""
        optuna_storage = self.optuna
        assert isinstance(optuna_storage, _CachedStorage)
        try:
            optuna_storage._backend._version_manager.check_table_schema_compatibility()
        except RuntimeError as error:
            raise StorageError(f"{self.name}: {' '.join(str(error).split())}") from None

    def _new_backend(self, *, create: bool) -> RDBStorage:
        """Optuna's storage, with an engine of its own. It would take the text of a URL as a template: it sees none."""
        return RDBStorage(
            "sqlite:///file.db" if self.is_sqlite else "postgresql+psycopg2://",
            engine_kwargs={**_pool_options(self.url), "creator": self._connect},
            skip_table_creation=not create,
            skip_compatibility_check=True,
        )

    def _connect(self) -> Any:
        """A new connection of the driver, for both engines."""
        dialect = self.engine.dialect
        arguments, options = dialect.create_connect_args(self.url)
        defaults = {"timeout": SQLITE_BUSY_SECONDS} if self.is_sqlite else POSTGRESQL_DEFAULTS
        connection = dialect.connect(*arguments, **{**defaults, **options})
        if self.is_sqlite:
            _execute(connection, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL")
        else:
            _execute(connection, *(f"SET {name} = '{value}'" for name, value in SERVER_SETTINGS.items()), "COMMIT")
        return connection

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
        with self.engine.connect() as connection, connection.begin():
            # This transaction rests while its owner works with other connections.
            connection.execute(sa.text(f"SET LOCAL idle_in_transaction_session_timeout = '{LOCK_IDLE_SECONDS}s'"))
            while not connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(key))):
                if time.monotonic() > until:
                    raise sa.exc.OperationalError(f"lock {name}", None, TimeoutError("held by another process"))
                time.sleep(LOCK_POLL_SECONDS)
            with _kept_alive(connection):
                yield

    def forget_thread(self) -> None:
        """Closes Optuna's session of the calling thread, before that thread ends."""
        if self._backend is not None:
            self._backend.remove_session()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()
        self.forget_thread()
        if self._backend is not None:
            self._backend.engine.dispose()


def open_storage(text: str, *, create: bool = False, writing: bool = True) -> Storage:
    """Opens the database of a URL. StorageError, without the password, if it cannot be used.

    With `create`, an SQLite file and all tables are made if they are not there; without, both must exist. Without
    `writing`, a read-only replica will do.
    """
    url = normalise_url(text)
    if url.get_backend_name() == "sqlite":
        check_sqlite_file(Path(str(url.database)), create)
    storage = Storage(url)
    try:
        tables.prepare(storage, create=create, writing=writing)
    except (sa.exc.DBAPIError, optuna.exceptions.StorageInternalError) as error:
        storage.close()
        raise _refused(storage, error) from None
    except OSError as error:
        storage.close()
        raise StorageError(f"{storage.name}: its folder cannot be written to: {error.strerror}") from None
    except BaseException:
        storage.close()
        raise
    return storage


def require_server(text: str) -> None:
    """StorageError if the URL names a server that cannot be reached or does not let us in; makes nothing."""
    storage = Storage(normalise_url(text))
    try:
        if not storage.is_sqlite:
            storage.engine.connect().close()
    except sa.exc.DBAPIError as error:
        raise _refused(storage, error) from None
    finally:
        storage.close()


@contextmanager
def _kept_alive(connection: sa.Connection) -> Iterator[None]:
    """Lets a transaction rest in the block for as long as this process runs: a thread speaks now and then."""
    ended = threading.Event()

    def speak() -> None:
        while not ended.wait(LOCK_IDLE_SECONDS / 4):
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


def _pool_options(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {}
    # One connection of each engine stays open while a worker trains: a server has 100 for all of them.
    return {"pool_pre_ping": True, "pool_recycle": 1800, "pool_size": 1}


def _execute(connection: Any, *statements: str) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _leave_begin_to_us(connection: Any, _: Any) -> None:
    connection.isolation_level = None


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("colgan_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _refused(storage: Storage, error: Exception) -> StorageError:
    kind = Unreachable if is_outage(error) else StorageError
    return kind(f"{storage.name}: {_explain(error)}")


def _explain(error: Exception) -> str:
    """The database's own words in one line, with what to do where we know it."""
    cause = getattr(error, "orig", None) or error.__cause__ or error
    text = " ".join(str(getattr(cause, "orig", None) or cause).split())
    hints = {
        "password authentication failed": "check the user and password (special characters in %-form)",
        "no password supplied": "put the password into the URL, PGPASSWORD or ~/.pgpass",
        "does not exist": "create it first: createdb NAME, createuser NAME",
        "Connection refused": "is the server running, and are host and port right?",
        "could not translate host name": "check the host's name",
        "file is not a database": "the file is something else than an SQLite database",
        "permission denied": "grant the role CREATE on the schema, or let the owner run `launch` once",
        "does not support SSL": "turn TLS on at the server (ssl = on); sslmode=disable is for trusted networks",
        "certificate verify failed": "name the authority's certificate: ?sslmode=verify-full&sslrootcert=FILE",
        "read-only": "this server or role is read-only; name the primary, or another role",
        "disk is full": "free some space on its disk",
        "disk I/O error": "is its disk full, or broken?",
        "readonly": "the file, its folder or its disk is read-only",
    }
    hint = next((f"; {advice}" for sign, advice in hints.items() if sign.lower() in text.lower()), "")
    return text + hint
