"""A database is opened: its URL, its schema, and in one line why it cannot be used."""

from contextlib import nullcontext
from pathlib import Path

import optuna
import sqlalchemy as sa

from colgan_search.errors import NothingThere, StorageError, Unreachable
from colgan_search.search.database import tables
from colgan_search.search.database.explaining import explain
from colgan_search.search.database.retry import is_outage
from colgan_search.search.database.sqlite_file import check_sqlite_file, check_sqlite_place, unwritable
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.urls import normalise_url


def open_storage(text: str, *, create: bool = False, writing: bool = True) -> Storage:
    """Opens the database of a URL. StorageError, without the password, if it cannot be used.

    With `create`, an SQLite file and all tables are made if they are not there; without, both must exist. Without
    `writing`, a read-only replica will do.
    """
    url = normalise_url(text)
    only_reading = False
    if url.get_backend_name() == "sqlite":
        file = Path(str(url.database))
        check_sqlite_file(file, create, writing)
        only_reading = not writing and unwritable(file) is not None
    storage = Storage(url, only_reading=only_reading)
    try:
        _prepare(storage, create=create, writing=writing)
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
    """StorageError if the URL names a server that cannot be reached or does not let us in; makes nothing.

    Also if it names an SQLite file where none can be made or written.
    """
    storage = Storage(normalise_url(text))
    try:
        if storage.is_sqlite:
            check_sqlite_place(Path(str(storage.url.database)))
        else:
            storage.engine.connect().close()
    except sa.exc.DBAPIError as error:
        raise _refused(storage, error) from None
    finally:
        storage.close()


def _prepare(storage: Storage, *, create: bool, writing: bool = True) -> None:
    """Checks the schema's version; with `create` makes Optuna's tables and ours, once, under a lock.

    StorageError if it is another version's, not there, or, unless `writing` is False, read-only.
    """
    # Also the switch of an empty SQLite file to WAL must not meet another one.
    with storage.lock("schema") if create else nullcontext():
        if writing:
            _require_writable(storage)
        if create and _version(storage) is None:
            _create(storage)
        elif create and _version(storage) == tables.SCHEMA_VERSION:
            _add_what_came_later(storage)
    version = _version(storage)
    if version is None:
        raise NothingThere(f"{storage.name}: holds no colgan-search study yet; `launch` makes one")
    if version != tables.SCHEMA_VERSION:
        raise StorageError(
            f"{storage.name}: its tables have schema version {version}, this package needs {tables.SCHEMA_VERSION}; "
            "use the package version that made them, or another database"
        )
    storage.check_optuna_tables()


def _require_writable(storage: Storage) -> None:
    """A read-only database would be told from an outage only after the whole outage limit."""
    with storage.transaction() as connection:  # on SQLite this alone fails on a read-only file
        if not storage.is_sqlite and connection.scalar(sa.text("SHOW transaction_read_only")) == "on":
            raise StorageError(f"{storage.name}: this server or role is read-only; name the primary, or another role")


def _version(storage: Storage) -> int | None:
    with storage.engine.connect() as connection:
        if not sa.inspect(connection).has_table(tables.schema.name):
            return None
        return connection.execute(sa.select(sa.func.max(tables.schema.c.version))).scalar()


def _create(storage: Storage) -> None:
    # Optuna makes and stamps its own tables; eight of these at once would crash each other.
    storage.create_optuna_tables()
    with storage.transaction() as connection:
        tables.metadata.create_all(connection)
        connection.execute(tables.schema.insert().values(version=tables.SCHEMA_VERSION))


def _add_what_came_later(storage: Storage) -> None:
    """The table of artifacts, without which everything else works. Older packages of this schema pass over it."""
    with storage.engine.connect() as connection:
        there = sa.inspect(connection).has_table(tables.artifacts.name)
    if not there:
        with storage.transaction() as connection:
            tables.artifacts.create(connection)


def _refused(storage: Storage, error: Exception) -> StorageError:
    kind = Unreachable if is_outage(error) else StorageError
    return kind(f"{storage.name}: {explain(error)}")
