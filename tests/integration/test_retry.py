"""What counts as an outage, and how long we go on."""

import sqlite3
import threading
import time
from pathlib import Path

import optuna
import psycopg2
import pytest
import sqlalchemy as sa

from colgan_search.errors import Outage, StudyError
from colgan_search.search.database import retry
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.retry import is_outage, one_line, through_outages
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import make_study
from tests.postgres import PASSWORD, Postgres


def _away() -> Exception:
    return sa.exc.OperationalError("SELECT 1", None, psycopg2.OperationalError("server closed the connection\nmore"))


class Flaky:
    """Fails `times` times, then gives its number of calls."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.error, self.calls = times, error, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.left > 0:
            self.left -= 1
            raise self.error
        return self.calls


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(retry, "LONGEST_PAUSE_SECONDS", 0.01)


def test_a_call_is_repeated_until_the_database_is_back() -> None:
    assert through_outages(Flaky(5, _away()), "x", limit_seconds=60) == 6


def test_other_errors_pass_at_once() -> None:
    call = Flaky(5, StudyError("gone"))
    with pytest.raises(StudyError):
        through_outages(call, "x", limit_seconds=60)
    assert call.calls == 1


def test_an_outage_beyond_the_limit_is_named() -> None:
    with pytest.raises(Outage, match=r"telling: the database has been away for \d+ s: server closed the connection$"):
        through_outages(Flaky(10**6, _away()), "telling", limit_seconds=0.05)


def test_giving_up_ends_the_wait_at_once() -> None:
    give_up = threading.Event()
    threading.Timer(0.1, give_up.set).start()
    call = Flaky(10**6, _away())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retry, "FIRST_PAUSE_SECONDS", 3600.0)
        patch.setattr(retry, "LONGEST_PAUSE_SECONDS", 3600.0)
        with pytest.raises(Outage):
            through_outages(call, "x", limit_seconds=7200, give_up=give_up)
    assert call.calls <= 2, "tried at most once more, and the hour was not waited for"


@pytest.fixture
def study(prepared_postgres_url: str) -> OpenStudy:
    return make_study(prepared_postgres_url, 1)


def _error_of(call: object) -> Exception:
    with pytest.raises(Exception) as caught:
        call()  # type: ignore[operator]
    return caught.value


def test_a_refused_connection_is_an_outage_for_both_engines(tmp_path: Path) -> None:
    server = Postgres(tmp_path)
    server.start()
    study = make_study(server.new_database(), 1)
    server.stop()
    errors = [_error_of(study.slots.budget), _error_of(study.load)]
    study.storage.close()
    assert [is_outage(error) for error in errors] == [True, True]
    assert all("Connection refused" in one_line(error) and PASSWORD not in one_line(error) for error in errors)


def test_a_connection_that_the_server_ended_is_an_outage(study: OpenStudy, postgres: Postgres) -> None:
    def die_within(connection: sa.Connection) -> None:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        postgres.execute(f"SELECT pg_terminate_backend({pid})")
        connection.exec_driver_sql("SELECT 1")

    def ours() -> None:
        with study.storage.transaction() as connection:
            die_within(connection)

    error = _error_of(ours)
    after = study.slots.budget().total
    study.storage.close()
    assert is_outage(error) and after == 1, "the pool offers a live connection afterwards"


def test_a_server_that_turned_read_only_is_an_outage(study: OpenStudy) -> None:
    def write() -> None:
        with study.storage.transaction() as db:
            db.exec_driver_sql("SET TRANSACTION READ ONLY")
            db.exec_driver_sql("DELETE FROM colgan_slots")

    error = _error_of(write)
    study.storage.close()
    assert is_outage(error), "a fail-over makes the primary read-only for a while"


def test_missing_rights_and_missing_tables_are_no_outage(study: OpenStudy, tmp_path: Path) -> None:
    errors = [_error_of(lambda: _run(study, "SELECT * FROM nowhere"))]
    study.storage.close()
    storage = open_storage(str(tmp_path / "a.db"), create=True)
    with storage.transaction() as db:
        db.exec_driver_sql("DROP TABLE colgan_slots")
    errors.append(_error_of(lambda: OpenStudy(storage, "x", "u", None).slots.budget()))  # type: ignore[arg-type]
    with storage.transaction() as db:
        db.exec_driver_sql("DROP TABLE studies")
    errors.append(_error_of(lambda: optuna.get_all_study_names(storage.optuna)))
    storage.close()
    assert [is_outage(error) for error in errors] == [False, False, False]


def _run(study: OpenStudy, statement: str) -> None:
    with study.storage.transaction() as db:
        db.exec_driver_sql(statement)


def test_a_locked_sqlite_file_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("colgan_search.search.database.storage.SQLITE_BUSY_SECONDS", 0.1)
    study = make_study(f"sqlite:///{tmp_path}/a.db", 1)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    errors = [
        _error_of(lambda: study.slots.claim("w", 1.0)),
        _error_of(lambda: study.load().set_user_attr("x", 1)),
    ]
    other.execute("ROLLBACK")
    other.close()
    claim = study.slots.claim("w", 1.0)
    study.storage.close()
    assert [is_outage(error) for error in errors] == [True, True] and claim is not None


def test_a_bug_of_ours_is_no_outage() -> None:
    def bug() -> None:
        if len("x") > 1:
            y = 1
        print(y)

    assert not is_outage(_error_of(bug)) and not is_outage(KeyError("x"))


def test_only_the_time_since_the_first_failure_counts() -> None:
    """A call that works for long and then meets an instant's outage is tried again."""
    calls: list[float] = []

    def call() -> str:
        calls.append(time.monotonic())
        if len(calls) == 1:
            time.sleep(0.6)
            raise sa.exc.OperationalError("SELECT", None, Exception("an instant"))
        return "done"

    assert through_outages(call, "a long call", limit_seconds=0.3) == "done"
    assert len(calls) == 2


def test_a_full_sqlite_disk_is_no_outage() -> None:
    for words in ("database or disk is full", "disk I/O error"):
        assert not is_outage(sa.exc.OperationalError("INSERT", None, Exception(words)))
    assert is_outage(sa.exc.OperationalError("INSERT", None, Exception("database is locked")))
