"""Through a real PgBouncer in transaction mode: each transaction may be another session of the server."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy as sa

from colgan_search.errors import StorageError
from colgan_search.search.database.opening import open_storage
from tests.fleet import Fleet, assert_exact, fake_config, make_study, rows_of
from tests.pgbouncer import PgBouncer
from tests.postgres import Postgres


@pytest.fixture
def bouncer(postgres: Postgres) -> Iterator[PgBouncer]:
    opened = PgBouncer(postgres, sessions=3)
    yield opened
    opened.close()


def test_a_study_of_more_workers_than_sessions(bouncer: PgBouncer, prepared_postgres_url: str, tmp_path: Path) -> None:
    url = bouncer.through(prepared_postgres_url)
    make_study(url, 40).storage.close()
    with Fleet(url, tmp_path, 0.1) as fleet:
        fleet.start(8)
        assert fleet.wait() == [0] * 8, fleet.log()
    assert_exact(prepared_postgres_url, 40)


def test_no_setting_of_ours_stays_in_a_session_of_the_pooler(bouncer: PgBouncer, prepared_postgres_url: str) -> None:
    url = bouncer.through(prepared_postgres_url)
    study = make_study(url, 1, fake_config())
    setting = "SHOW idle_in_transaction_session_timeout"
    with study.storage.lock("x"), study.storage.transaction() as db:
        ours = db.execute(sa.text(setting)).scalar()
    with study.storage.optuna._backend.engine.connect() as db:  # type: ignore[attr-defined]
        optunas = db.execute(sa.text(setting)).scalar()
    assert study.storage.server is not None and study.storage.server.pooled
    study.storage.close()
    assert (ours, optunas) == ("30s", "30s"), "a worker paused in a transaction holds nobody up"
    # Whoever else uses the pooler gets the same sessions.
    assert {rows_of(url, setting)[0][0] for _ in range(4)} == {"0"}


def test_without_a_pooler_a_session_keeps_its_settings(prepared_postgres_url: str) -> None:
    storage = open_storage(prepared_postgres_url)
    with storage.engine.connect() as db:
        setting = db.execute(sa.text("SHOW idle_in_transaction_session_timeout")).scalar()
    pooled = storage.server is not None and storage.server.pooled
    storage.close()
    assert (setting, pooled) == ("30s", False)


def test_the_statement_mode_is_refused_with_the_remedy(postgres: Postgres, prepared_postgres_url: str) -> None:
    bouncer = PgBouncer(postgres, mode="statement")
    try:
        with pytest.raises(StorageError, match=r"set pool_mode = transaction in pgbouncer\.ini"):
            open_storage(bouncer.through(prepared_postgres_url))
    finally:
        bouncer.close()


def test_a_pooler_that_is_full_says_what_to_raise(postgres: Postgres, prepared_postgres_url: str) -> None:
    bouncer = PgBouncer(postgres, extra="max_client_conn = 1")
    url = bouncer.through(prepared_postgres_url)
    held = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        with pytest.raises(StorageError, match=r"raise max_client_conn in pgbouncer\.ini"):
            open_storage(url)
    finally:
        held.close()
        bouncer.close()
