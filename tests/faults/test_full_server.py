"""A server that has no connection left: said with what to do, waited for when told to, and in the middle of a study."""

import contextlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from colgan_search.api import working
from colgan_search.api.working import WorkRequest
from colgan_search.errors import StorageError
from colgan_search.file_names import WorkFolder
from colgan_search.search.database.opening import open_storage
from tests.fleet import Fleet, assert_exact, fake_config, make_study, rows_of, wait_until
from tests.pgbouncer import PgBouncer
from tests.postgres import Postgres

CONNECTIONS, RESERVED = 12, 3
OURS = "FROM pg_stat_activity WHERE application_name = 'colgan-search'"


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    options = f"-c max_connections={CONNECTIONS} -c superuser_reserved_connections={RESERVED}"
    server = Postgres(tmp_path_factory.mktemp("small"), options=options)
    server.start()
    yield server
    server.stop()


class Crowd:
    """Takes every connection that ordinary roles can have, until `leave`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.held: list[object] = []

    def come(self) -> None:
        with contextlib.suppress(psycopg2.OperationalError):
            while True:
                self.held.append(psycopg2.connect(self.url))

    def leave(self) -> None:
        for connection in self.held:
            connection.close()  # type: ignore[attr-defined]
        self.held.clear()


@pytest.fixture
def crowd(small_server: Postgres) -> Iterator[Crowd]:
    made = Crowd(small_server.new_database())
    yield made
    made.leave()


def test_a_full_server_is_refused_with_what_to_do(small_server: Postgres, crowd: Crowd) -> None:
    url = small_server.new_database()
    make_study(url, 1).storage.close()
    known = open_storage(url)
    crowd.come()
    with pytest.raises(StorageError, match=r"raise max_connections in postgresql\.conf") as stranger:
        open_storage(url)
    full = "its max_connections is 12, 3 of them reserved, so that about 8 workers fit"
    with pytest.raises(sa.exc.OperationalError, match=full), known.lock("x"), known.engine.connect():
        raise AssertionError("there was a second connection")
    known.close()
    words = str(stranger.value)
    assert "about 87 workers fit" in words and "`wait_minutes`" in words and "\n" not in words


def test_a_limit_of_the_role_is_named(small_server: Postgres) -> None:
    url = small_server.new_database()
    small_server.execute("ALTER ROLE colgan CONNECTION LIMIT 0")
    try:
        with pytest.raises(StorageError, match="raise the CONNECTION LIMIT"):
            open_storage(url)
    finally:
        small_server.execute("ALTER ROLE colgan CONNECTION LIMIT -1")


def test_a_worker_that_was_told_to_wait_waits_for_room(small_server: Postgres, crowd: Crowd, tmp_path: Path) -> None:
    url = small_server.new_database()
    study = make_study(url, 1)
    study.storage.close()
    crowd.come()
    opened = []
    request = WorkRequest("fake", url, wait_minutes=5.0)

    def attach() -> None:
        opened.append(working._attached(request, WorkFolder(tmp_path), threading.Event()))

    patient = threading.Thread(target=attach)
    patient.start()
    patient.join(1.0)
    assert patient.is_alive() and not opened
    crowd.leave()
    patient.join()
    opened[0].storage.close()
    assert opened[0].uid == study.uid


def test_a_server_that_becomes_full_in_the_middle_of_a_study(
    small_server: Postgres, crowd: Crowd, tmp_path: Path
) -> None:
    url, go = small_server.new_database(), tmp_path / "go"
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(url, 2, config).storage.close()
    with Fleet(url, tmp_path, 0.05, orders=f"until:{go}") as fleet:
        fleet.start()
        training = "SELECT 1 FROM colgan_workers WHERE state = 'training'"
        wait_until(lambda: rows_of(url, training), "the middle of a trial")

        def nothing_left() -> bool:
            small_server.execute(f"SELECT pg_terminate_backend(pid) {OURS}")
            crowd.come()
            return not small_server.execute(f"SELECT 1 {OURS}")

        wait_until(nothing_left, "the worker to have no connection and find none")
        go.touch()
        refused = re.compile(r"delivering: database away .*about 8 workers fit.*trying again in")
        wait_until(lambda: refused.search(fleet.log()), "the worker to be refused")
        crowd.leave()
        assert fleet.wait() == [0], fleet.log()
    assert_exact(url, 2, config=config)


@pytest.fixture
def usual_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    server = Postgres(tmp_path_factory.mktemp("usual"), options="-c max_connections=100")
    server.start()
    yield server
    server.stop()


@pytest.mark.endurance
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("way", ["direct", "pgbouncer"])
def test_sixty_workers_on_a_server_of_a_hundred_connections(way: str, usual_server: Postgres, tmp_path: Path) -> None:
    """All of them start at once; the study ends with exactly its budget and nobody fails."""
    url = usual_server.new_database()
    bouncer = PgBouncer(usual_server, sessions=20) if way == "pgbouncer" else None
    config = fake_config(service={"lease_seconds": 60.0})
    make_study(url, 180, config).storage.close()
    peak, counting, stop = [0], "SELECT count(*) FROM pg_stat_activity WHERE usename = 'colgan'", threading.Event()
    superuser = psycopg2.connect(host="127.0.0.1", port=usual_server.port, user="postgres", dbname="postgres")
    superuser.autocommit = True

    def watch() -> None:
        with superuser.cursor() as cursor:
            while not stop.wait(0.1):
                cursor.execute(counting)
                peak[0] = max(peak[0], cursor.fetchone()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with Fleet(bouncer.through(url) if bouncer else url, tmp_path, 3.0) as fleet:
            fleet.start(60)
            codes = fleet.wait(1500.0)
            log = fleet.log()
    finally:
        stop.set()
        watcher.join()
        superuser.close()
        if bouncer is not None:
            bouncer.close()
    print(f"{way}: at most {peak[0]} connections")
    assert codes == [0] * 60, log
    # A session's process ends a moment after the pooler has begun another one.
    assert peak[0] < (60 if bouncer else 90)
    assert_exact(url, 180, config=config)
