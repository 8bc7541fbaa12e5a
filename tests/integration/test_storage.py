"""URLs in every usual form, databases that cannot be used, and many processes that meet an empty one at once."""

import multiprocessing
import os
import secrets
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import optuna
import psycopg2
import pytest
import sqlalchemy as sa

from colgan_search.errors import StorageError
from colgan_search.search.database import storage as storage_module
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import create_or_open, open_study, study_names
from tests.fleet import fake_config, forks, rows_of, wait_until
from tests.postgres import PASSWORD, Postgres


@pytest.mark.parametrize("name", ["a b.db", "{SCHEMA_VERSION}{x}.db", "50%.db", "what?.db", "#1.db"])
def test_odd_file_names_reach_both_engines(name: str, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / name), create=True)
    optuna.create_study(storage=storage.optuna, study_name="s")
    storage.close()
    held = sqlite3.connect(tmp_path / name)
    names = held.execute("SELECT study_name FROM studies").fetchall()
    version = held.execute("SELECT version FROM colgan_schema").fetchall()
    held.close()
    assert (names, version) == ([("s",)], [(2,)])
    left = {path.name for path in tmp_path.iterdir() if path.suffix != ".lock"}
    assert left == {name}, "nothing beside it once closed"


def test_a_password_with_braces_reaches_both_engines(postgres: Postgres) -> None:
    role = f"braces_{secrets.token_hex(3)}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{{x}}%s@'")
    database = f"test_{secrets.token_hex(4)}"
    postgres.execute(f"CREATE DATABASE {database} OWNER {role}")
    storage = open_storage(postgres.url(database, role, "{x}%s@"), create=True)
    optuna.create_study(storage=storage.optuna, study_name="s")
    names = study_names(storage)
    storage.close()
    assert names == ["s"]


def _meet(url: str, number: int, results: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        storage = open_storage(url, create=True)
        study = create_or_open(storage, fake_config(), "fake", 5)
        results.put(study.uid)
        storage.close()
    except BaseException as error:
        results.put(f"{type(error).__name__}: {error}")


def test_eight_processes_meet_an_empty_database_at_once(storage_url: str) -> None:
    results = forks.SimpleQueue()
    processes = [forks.Process(target=_meet, args=(storage_url, i, results)) for i in range(8)]
    for process in processes:
        process.start()
    uids = [results.get() for _ in processes]
    for process in processes:
        process.join()
    assert len(set(uids)) == 1 and len(uids[0]) == 32, uids
    assert rows_of(storage_url, "SELECT uid, total FROM colgan_studies") == [(uids[0], 5)]
    assert rows_of(storage_url, "SELECT count(*) FROM studies") == [(1,)]


def test_a_lock_keeps_others_out_and_ends_with_its_holder(storage_url: str) -> None:
    storage = open_storage(storage_url, create=True)
    ready = forks.SimpleQueue()
    holder = forks.Process(target=_hold, args=(storage_url, ready))
    holder.start()
    assert ready.get() == "held"
    waiter_got_it = forks.SimpleQueue()
    waiter = forks.Process(target=_hold, args=(storage_url, waiter_got_it))
    waiter.start()
    waiter.join(1.0)
    assert waiter.is_alive() and waiter_got_it.empty()
    holder.kill()
    assert waiter_got_it.get() == "held"
    waiter.kill()
    waiter.join()
    with storage.lock("x"):
        pass
    storage.close()


def _hold(url: str, ready: "multiprocessing.SimpleQueue[str]") -> None:
    with open_storage(url).lock("x"):
        ready.put("held")
        multiprocessing.Event().wait()


@pytest.mark.slow
def test_a_living_process_keeps_its_lock_for_as_long_as_it_needs(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a long study is copied: the server ends locks that rest for a second here."""
    monkeypatch.setattr(storage_module, "LOCK_IDLE_SECONDS", 1)
    storage, other = open_storage(prepared_postgres_url), open_storage(prepared_postgres_url)
    monkeypatch.setattr(storage_module, "LOCK_TIMEOUT_SECONDS", 3)
    with storage.lock("x"):  # noqa: SIM117
        with pytest.raises(sa.exc.OperationalError, match="held by another process"), other.lock("x"):
            pass
    with other.lock("x"):
        pass
    storage.close()
    other.close()


class TestUnusable:
    """Each is a StorageError that says what is wrong, at once and not after the outage limit."""

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StorageError, match="there is no such database"):
            open_storage(str(tmp_path / "none.db"))
        assert list(tmp_path.iterdir()) == []

    def test_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "folder.db").mkdir()
        with pytest.raises(StorageError, match="is a folder"):
            open_storage(str(tmp_path / "folder.db"), create=True)

    def test_another_kind_of_file(self, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("no database at all, " * 100)
        with pytest.raises(StorageError, match="something else than an SQLite database"):
            open_storage(str(tmp_path / "text.db"), create=True)

    def test_a_database_without_our_tables(self, storage_url: str) -> None:
        text = normalise_url(storage_url).render_as_string(hide_password=False)
        optuna.storages.RDBStorage(text).engine.dispose()
        with pytest.raises(StorageError, match="holds no colgan-search study yet"):
            open_storage(storage_url)

    def test_optunas_tables_alone_are_added_to(self, storage_url: str) -> None:
        text = normalise_url(storage_url).render_as_string(hide_password=False)
        backend = optuna.storages.RDBStorage(text)
        optuna.create_study(storage=backend, study_name="theirs")
        backend.engine.dispose()
        storage = open_storage(storage_url, create=True)
        names = study_names(storage)
        storage.close()
        assert names == ["theirs"]

    @pytest.mark.parametrize("version", [1, 3])
    def test_another_schema_version(self, storage_url: str, version: int) -> None:
        storage = open_storage(storage_url, create=True)
        with storage.transaction() as db:
            db.execute(sa.text(f"UPDATE colgan_schema SET version = {version}"))
        storage.close()
        for create in (False, True):
            with pytest.raises(StorageError, match=f"schema version {version}, this package needs 2"):
                open_storage(storage_url, create=create)

    def test_optunas_tables_of_another_version(self, storage_url: str) -> None:
        storage = open_storage(storage_url, create=True)
        with storage.transaction() as db:
            db.execute(sa.text("UPDATE alembic_version SET version_num = 'v2.6.0.a'"))
        storage.close()
        with pytest.raises(StorageError, match=r"(?i)optuna"):
            open_storage(storage_url)

    def test_a_read_only_file_system(self, read_only_disk: Path) -> None:
        with pytest.raises(StorageError, match=r"(?i)read-?only|cannot be read and written|cannot be written"):
            open_storage(str(read_only_disk / "study.db"))
        with pytest.raises(StorageError, match=r"(?i)read-?only|cannot be written"):
            open_storage(str(read_only_disk / "new.db"), create=True)

    def test_a_read_only_server(self, postgres_url: str) -> None:
        open_storage(postgres_url, create=True).close()
        database = str(normalise_url(postgres_url).database)
        with psycopg2.connect(_dsn(postgres_url)) as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
        for create in (False, True):
            with pytest.raises(StorageError, match="read-only; name the primary") as caught:
                open_storage(postgres_url, create=create)
            assert PASSWORD not in str(caught.value)

    def test_a_wrong_password(self, postgres: Postgres, postgres_url: str) -> None:
        url = postgres.url(str(normalise_url(postgres_url).database), password="wr:ng@/%")
        with pytest.raises(StorageError, match="check the user and password") as caught:
            open_storage(url)
        assert "wr:ng" not in str(caught.value) and "wr%3Ang" not in str(caught.value)

    def test_a_database_that_does_not_exist(self, postgres: Postgres) -> None:
        with pytest.raises(StorageError, match="create it first"):
            open_storage(postgres.url("nowhere"), create=True)

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(StorageError, match="is the server running"):
            open_storage("postgresql://me:secret@127.0.0.1:1/db")

    def test_a_role_that_may_create_nothing_works_once_the_tables_are_there(self, postgres: Postgres) -> None:
        url = postgres.new_database()
        database = str(normalise_url(url).database)
        role = f"worker_{secrets.token_hex(3)}"
        postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
        poor = postgres.url(database, role, "x")
        with pytest.raises(StorageError, match="grant the role CREATE"):
            open_storage(poor, create=True)
        rich = open_storage(url, create=True)
        create_or_open(rich, fake_config(), "fake", 1)
        postgres.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}", database)
        postgres.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}", database)
        storage = open_storage(poor)
        claim = open_study(storage, "fake").slots.claim("w", 5.0)
        storage.close()
        rich.close()
        assert claim is not None


def test_closing_gives_every_connection_back(postgres: Postgres, postgres_url: str) -> None:
    storage = open_storage(postgres_url, create=True)
    create_or_open(storage, fake_config(), "fake", 1).slots.budget()
    database = str(normalise_url(postgres_url).database)
    activity = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND backend_type = 'client backend'"

    def count() -> int:
        return len(postgres.execute(activity))

    # A server process ends a moment after its client.
    wait_until(lambda: count() <= 1, "the connections that made the tables to end")
    assert count() == 1, "ours and Optuna's: a server has 100 for all workers"
    storage.close()
    wait_until(lambda: count() == 0, "every connection to end")
    assert count() == 0


def test_sqlite_is_in_wal_mode_for_both_engines(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "a.db"), create=True)
    assert storage._backend is not None
    modes = [_pragmas(storage.engine), _pragmas(storage._backend.engine)]
    storage.close()
    assert modes == [("wal", 1)] * 2


def _pragmas(engine: sa.Engine) -> tuple[str, int]:
    with engine.connect() as db:
        journal = db.exec_driver_sql("PRAGMA journal_mode").scalar()
        return str(journal), int(str(db.exec_driver_sql("PRAGMA synchronous").scalar()))


def test_a_transaction_that_raises_leaves_nothing(storage_url: str) -> None:
    storage: Storage = open_storage(storage_url, create=True)
    with pytest.raises(RuntimeError), storage.transaction() as db:
        db.execute(sa.text("INSERT INTO colgan_studies (uid, total) VALUES ('x', 1)"))
        raise RuntimeError
    storage.close()
    assert rows_of(storage_url, "SELECT count(*) FROM colgan_studies") == [(0,)]


def _dsn(url: str) -> str:
    return normalise_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A mounted disk with a prepared database on it that was then made read-only."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True).returncode:
        pytest.skip("mounting needs root and its capabilities")
    try:
        open_storage(str(disk / "study.db"), create=True).close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
