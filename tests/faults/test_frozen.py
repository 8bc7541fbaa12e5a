"""A PostgreSQL that accepts but never answers, and a worker that is paused in the middle of a transaction."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import sqlalchemy as sa

from colgan_search.errors import Unreachable
from colgan_search.search.database import connecting
from colgan_search.search.database import storage as storage_module
from colgan_search.search.database.connecting import SERVER_SETTINGS
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.tables import studies
from tests.fleet import (
    DRAIN_SECONDS,
    Fleet,
    assert_exact,
    at_work,
    fake_config,
    make_study,
    rows_of,
    slot_tokens,
    training,
    wait_until,
)
from tests.postgres import Postgres


@pytest.fixture
def frozen(frail_postgres: Postgres) -> Iterator[Postgres]:
    """A server that the test freezes; it is thawed in any case."""
    yield frail_postgres
    frail_postgres.thaw()


@pytest.mark.parametrize("when", ["training", "delivering"])
def test_a_drain_while_the_database_is_frozen(frozen: Postgres, frail_url: str, tmp_path: Path, when: str) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(frail_url, 1, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        drained = fleet.start()
        wait_until(lambda: training(frail_url), "the trial begins")
        frozen.freeze()
        if when == "delivering":
            go.touch()
            wait_until(lambda: list((tmp_path / "fake" / "spool").glob("*.json")), "the result on disk")
            time.sleep(2.0)  # now it waits for an answer to its delivery
        started = time.monotonic()
        fleet.signal(drained, signal.SIGTERM)
        codes = fleet.wait(2 * DRAIN_SECONDS)
        seconds = time.monotonic() - started
        frozen.thaw()
        assert codes == [0] and seconds < DRAIN_SECONDS, (seconds, fleet.log())
        go.touch()
        fleet.start()
        assert fleet.wait() == [0, 0], fleet.log()
    assert_exact(frail_url, 1, config=config)
    ((token,),) = rows_of(frail_url, "SELECT token FROM colgan_slots")
    # Frozen is not deaf: the server carries out what it was sent when it thaws, also the delivery.
    assert token == 2 if when == "training" else token in (1, 2)


def test_workers_outlive_a_freeze(frozen: Postgres, frail_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(frail_url, 6, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 1.0, orders=f"until:{go}") as fleet:
        fleet.start(2)
        wait_until(lambda: at_work(frail_url) == 2, "both are at work")
        frozen.freeze()
        go.touch()
        time.sleep(12.0)  # longer than a worker waits for an answer
        frozen.thaw()
        assert fleet.wait() == [0, 0], fleet.log()
    assert_exact(frail_url, 6, config=config)
    assert slot_tokens(frail_url) == [1] * 6


def test_a_command_at_a_frozen_server_says_so(frozen: Postgres, frail_url: str) -> None:
    frozen.freeze()
    with pytest.raises(Unreachable, match="no answer from the server for 8 s"):
        open_storage(frail_url)


def test_a_signal_is_heard_while_the_server_is_frozen(frozen: Postgres, frail_url: str) -> None:
    storage = open_storage(frail_url)
    heard = threading.Event()
    in_time: list[bool] = []

    def signal_and_thaw() -> None:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGUSR2)
        in_time.append(heard.wait(6.0))
        frozen.thaw()

    before = signal.signal(signal.SIGUSR2, lambda *_: heard.set())
    try:
        with storage.engine.connect() as connection:
            frozen.freeze()
            threading.Thread(target=signal_and_thaw).start()
            connection.execute(sa.text("SELECT 1"))
            assert in_time == [True]
    finally:
        signal.signal(signal.SIGUSR2, before)
        storage.close()


def test_a_worker_paused_inside_a_transaction_holds_nobody_up(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paused there it holds the study's row: the server ends its transaction (here sooner), and others go on."""
    monkeypatch.setitem(SERVER_SETTINGS, "idle_in_transaction_session_timeout", "2s")
    study = make_study(prepared_postgres_url, 2, fake_config())
    other = open_storage(prepared_postgres_url)
    with study.storage.engine.connect() as paused:
        paused.execute(sa.select(studies).with_for_update())
        with other.transaction() as db:
            db.execute(studies.update().values(total=3))
        with pytest.raises(sa.exc.DBAPIError, match="idle-in-transaction"):
            paused.execute(sa.select(studies))
    assert study.slots.budget().total == 3, "a new connection works"
    other.close()
    study.storage.close()


def test_a_worker_paused_under_a_lock_holds_nobody_up(
    prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it makes a study, say: the server ends its lock (here sooner), and the next one has it."""
    monkeypatch.setattr(storage_module, "LOCK_IDLE_SECONDS", 2)
    monkeypatch.setattr(connecting, "kept_alive", lambda *_: nullcontext())  # its threads are paused too
    paused, other = open_storage(prepared_postgres_url), open_storage(prepared_postgres_url)
    with pytest.raises(sa.exc.DBAPIError), paused.lock("ask"):
        with other.lock("ask"):
            held = True
        assert held
    paused.close()
    other.close()
