"""Workers that are paused, drained or hung."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from colgan_search.file_names import WorkFolder
from colgan_search.search.delivering.keeper import HUNG_EXIT_CODE
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import (
    DRAIN_SECONDS,
    WAIT_SECONDS,
    Fleet,
    assert_exact,
    fake_config,
    make_study,
    optuna_trials,
    rows_of,
    slot_tokens,
    training,
    wait_until,
)
from tests.integration import cli_helpers as helpers
from tests.postgres import Postgres


def test_a_worker_paused_past_its_lease_drops_its_work(prepared_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 2.0})
    make_study(prepared_url, 1, config).storage.close()
    go = tmp_path / "go"
    with Fleet(prepared_url, tmp_path / "a", 0.1, orders=f"until:{go}", log_dir=tmp_path) as fleet:
        sleeper = fleet.start()
        wait_until(lambda: training(prepared_url), "the trial begins")
        fleet.pause(sleeper)
        go.touch()
        heir = fleet.start()
        heir.join(WAIT_SECONDS)
        assert heir.exitcode == 0, fleet.log()
        fleet.signal(sleeper, signal.SIGCONT)
        assert fleet.wait() == [0, 0], fleet.log()
        log = (tmp_path / "worker-0.log").read_text()
        assert "another worker has it" in log or "this result is dropped" in log
    assert_exact(prepared_url, 1, config=config)
    assert slot_tokens(prepared_url) == [2]
    ((text,),) = rows_of(prepared_url, "SELECT outcome FROM colgan_slots")
    assert json.loads(text)["worker"].split(":")[1] == str(heir.pid)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_drained_worker_gives_its_slot_back_at_once(
    prepared_postgres_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    url = prepared_postgres_url
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(url, 1, config).storage.close()
    with Fleet(url, tmp_path, 3600.0) as fleet:
        drained = fleet.start()
        wait_until(lambda: training(url) or optuna_trials(url), "the trial begins")
        fleet.signal(drained, number)
        assert fleet.wait(DRAIN_SECONDS) == [0], fleet.log()
        assert rows_of(url, "SELECT state, token, trial_number, faults FROM colgan_slots") == [("free", 1, 0, "[]")]
        assert rows_of(url, "SELECT state FROM colgan_workers") == [("left",)]
        fleet.seconds = 0.1
        fleet.start()
        assert fleet.wait() == [0, 0], fleet.log()
    assert_exact(url, 1, config=config)
    assert slot_tokens(url) == [2], "the same trial, claimed again without waiting for its lease"


ASKING = """
import sys, time
from pathlib import Path
from colgan_search.search.proposing import space
from tests.fake_worker import serve
def endless(*_):
    Path(sys.argv[2], "asking").touch()
    while True:
        time.sleep(0.01)
space.suggest_graph = endless
serve(sys.argv[1], "fake", Path(sys.argv[2]), 0.0)
"""
"""A worker whose sampler never comes to an end, as `gp` in a study of thousands of trials."""


@pytest.mark.slow
def test_a_drain_while_the_worker_itself_proposes_for_long(prepared_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(prepared_url, 1, config).storage.close()
    command = [sys.executable, "-c", ASKING, prepared_url, str(tmp_path)]
    with subprocess.Popen(command, env=helpers.environment(), stderr=subprocess.PIPE, text=True) as asking:
        try:
            wait_until(lambda: (tmp_path / "asking").exists(), "the proposal begins")
            asking.send_signal(signal.SIGTERM)
            code = asking.wait(DRAIN_SECONDS)
        finally:
            asking.kill()
        assert code == 0, asking.stderr.read() if asking.stderr else ""
    assert rows_of(prepared_url, "SELECT state, token, trial_number, faults FROM colgan_slots") == [
        ("free", 1, None, "[]")
    ]
    assert rows_of(prepared_url, "SELECT ask_until FROM colgan_studies") == [(0.0,)]
    assert rows_of(prepared_url, "SELECT state FROM colgan_workers") == [("left",)]
    with Fleet(prepared_url, tmp_path, 0.1) as fleet:
        fleet.start()
        assert fleet.wait() == [0], fleet.log()
    assert_exact(prepared_url, 1, config=config)


def test_a_drain_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(url, 1, config).storage.close()
    with Fleet(url, tmp_path, 3600.0) as fleet:
        drained = fleet.start()
        wait_until(lambda: optuna_trials(url), "the trial begins")
        fleet.signal(drained, signal.SIGTERM)
        assert fleet.wait(DRAIN_SECONDS) == [0], fleet.log()
    assert rows_of(url, "SELECT state FROM colgan_slots") in ([("free",)], [])


def test_a_drain_while_another_process_locks_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(url, 1, config).storage.close()
    with Fleet(url, tmp_path, 0.1, orders="endless-from:0") as fleet:
        drained = fleet.start()
        wait_until(lambda: training(url), "the trial begins")
        locker = sqlite3.connect(tmp_path / "a.db", timeout=WAIT_SECONDS, isolation_level=None)
        locker.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        fleet.signal(drained, signal.SIGTERM)
        codes = fleet.wait(2 * DRAIN_SECONDS)
        seconds = time.monotonic() - started
        locker.execute("ROLLBACK")
        locker.close()
        assert codes == [0] and seconds < DRAIN_SECONDS, (seconds, fleet.log())


@pytest.mark.parametrize("when", ["training", "delivering"])
def test_a_drain_while_the_database_is_away(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path, when: str
) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    make_study(frail_url, 1, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        drained = fleet.start()
        wait_until(lambda: training(frail_url), "the trial begins")
        frail_postgres.stop()
        if when == "delivering":
            go.touch()
            wait_until(lambda: list((tmp_path / "fake" / "spool").glob("*.json")), "the result on disk")
        started = time.monotonic()
        fleet.signal(drained, signal.SIGTERM)
        codes = fleet.wait(DRAIN_SECONDS)
        seconds = time.monotonic() - started
        frail_postgres.start()
        assert codes == [0] and seconds < DRAIN_SECONDS, fleet.log()
        go.touch()
        fleet.start()
        assert fleet.wait() == [0, 0], fleet.log()
    assert_exact(frail_url, 1, config=config)
    assert slot_tokens(frail_url) == [2 if when == "training" else 1]


def test_a_hung_trial_is_given_back_and_finished_by_another_worker(prepared_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0, "hang_minutes": 0.03})
    make_study(prepared_url, 1, config).storage.close()
    with Fleet(prepared_url, tmp_path, 0.1) as fleet:
        fleet.start(orders=f"hang-once:{tmp_path / 'hung'}")
        assert fleet.wait() == [HUNG_EXIT_CODE], fleet.log()
        ((state, token, number, faults),) = rows_of(
            prepared_url, "SELECT state, token, trial_number, faults FROM colgan_slots"
        )
        assert (state, token, number) == ("free", 1, 0)
        assert [fault["reason"] for fault in json.loads(faults)] == ["no progress for 2 s"]
        # A busy machine can stop anybody for two seconds: the next one has longer.
        make_study(prepared_url, 1, fake_config(service={"lease_seconds": 600.0})).storage.close()
        fleet.start()
        assert fleet.wait() == [HUNG_EXIT_CODE, 0], fleet.log()
    assert_exact(prepared_url, 1, config=config)
    assert slot_tokens(prepared_url) == [2]


def test_waiting_for_the_database_is_no_hang(frail_postgres: Postgres, frail_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0, "hang_minutes": 0.1})
    make_study(frail_url, 1, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        fleet.start()
        wait_until(lambda: training(frail_url), "the trial begins")
        frail_postgres.stop()
        go.touch()
        wait_until(lambda: list((tmp_path / "fake" / "spool").glob("*.json")), "the result on disk")
        time.sleep(8.0)  # more than the 6 s of a hang
        frail_postgres.start()
        assert fleet.wait() == [0], fleet.log()
    assert_exact(frail_url, 1, config=config)
    assert slot_tokens(frail_url) == [1]


def test_a_lease_that_is_lost_while_the_graph_is_made_costs_nothing(
    prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first bind fails as if another worker had the trial: the slot is not left to wait for its lease."""
    config = fake_config(service={"lease_seconds": 600.0})
    study = make_study(prepared_url, 2, config)
    real = type(study.slots).bind
    refused: list[int] = []

    def bind(self: Any, claim: Any, number: int, *db: Any) -> bool:
        if not refused:
            refused.append(number)
            return False
        return real(self, claim, number, *db)

    monkeypatch.setattr(type(study.slots), "bind", bind)
    worked = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "fake", threading.Event()).run()
    study.storage.close()
    monkeypatch.undo()
    assert worked.finished and refused == [0]
    assert_exact(prepared_url, 2, config=config)
