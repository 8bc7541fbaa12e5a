"""Trials that fault, disks that fill up, studies that vanish under their workers."""

import json
import signal
from pathlib import Path

import optuna
import pytest

from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from tests.fleet import Fleet, assert_exact, fake_config, hold_a_slot, make_study, optuna_trials, rows_of, wait_until


def _faults(url: str) -> list[list[str]]:
    return [
        [fault["reason"] for fault in json.loads(text)]
        for (text,) in rows_of(url, "SELECT faults FROM colgan_slots ORDER BY slot")
    ]


def test_three_faults_in_a_row_stop_a_worker_and_cost_no_budget(prepared_url: str, tmp_path: Path) -> None:
    config = fake_config()
    make_study(prepared_url, 5, config).storage.close()
    with Fleet(prepared_url, tmp_path, 0.1) as fleet:
        fleet.start(orders="fault")
        assert fleet.wait() == [1], fleet.log()
        assert "3 faults in a row, this worker stops; the last was: the fake experiment" in fleet.log()
        assert "Traceback" not in fleet.log()
        reason = "TrialFault: the fake experiment was told to fault"
        assert _faults(prepared_url) == [[reason]] * 3, "its own faulted slots came last"
        assert {state for (state,) in rows_of(prepared_url, "SELECT state FROM colgan_slots")} == {"free"}
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(prepared_url, 5, config=config)


def test_a_graph_that_faults_on_three_workers_is_marked_and_replaced(prepared_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    study = make_study(prepared_url, 4, config)
    # As long as somebody is at work the faulted slot is left to the third worker, however late that one is.
    busy = hold_a_slot(study)
    with Fleet(prepared_url, tmp_path, 0.1, orders="fault-on:1") as fleet:
        fleet.start(3)
        wait_until(study.slots.failures, "three workers to fault on one graph")
        assert study.slots.release(busy)
        assert fleet.wait() == [0, 0, 0], fleet.log()
    study.storage.close()
    assert_exact(prepared_url, 4, failed=1, config=config)
    storage = open_storage(prepared_url)
    (failure,) = open_study(storage, "fake").slots.failures()
    storage.close()
    assert failure.trial_number == 1
    assert len({fault["worker"] for fault in failure.faults}) == 3
    failed = optuna_trials(prepared_url)[1]
    assert [fault["reason"] for fault in failed.user_attrs["faults"]] == [f["reason"] for f in failure.faults]


def test_a_graph_that_kills_its_process_is_marked_and_replaced(prepared_url: str, tmp_path: Path) -> None:
    """As the kernel does to a process that takes all memory: nobody is left to report the fault."""
    config = fake_config(service={"lease_seconds": 600.0, "max_vanished": 3})
    make_study(prepared_url, 4, config).storage.close()
    with Fleet(prepared_url, tmp_path, 0.1, orders="die-on:1") as fleet:
        for died in range(3):
            fleet.start()
            assert fleet.wait() == [-signal.SIGKILL] * (died + 1), fleet.log()
        fleet.start()
        assert fleet.wait()[-1] == 0, fleet.log()
    assert_exact(prepared_url, 4, failed=1, config=config)
    failed = optuna_trials(prepared_url)[1]
    reasons = [fault["reason"] for fault in failed.user_attrs["faults"]]
    assert len(reasons) == 3 and all("the worker vanished in the middle of the trial" in reason for reason in reasons)


@pytest.mark.parametrize("moment", ["training", "waiting"])
def test_a_study_deleted_under_its_worker(prepared_url: str, tmp_path: Path, moment: str) -> None:
    study = make_study(prepared_url, 1, fake_config(service={"lease_seconds": 3.0}))
    go = tmp_path / "go"
    other = hold_a_slot(study, "a worker that will not come back") if moment == "waiting" else None
    with Fleet(prepared_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        fleet.start()
        if other is None:
            reported = "SELECT 1 FROM trial_intermediate_values"
            wait_until(lambda: rows_of(prepared_url, reported), "the middle of a trial")
        else:
            wait_until(lambda: rows_of(prepared_url, "SELECT 1 FROM colgan_workers WHERE state = 'waiting'"), "idle")
        optuna.delete_study(study_name="fake", storage=study.storage.optuna)
        go.touch()
        if other is not None:
            study.slots.release(other)
        study.storage.close()
        assert fleet.wait() == [2], fleet.log()
        assert "StudyError" in fleet.log() and "was deleted while it was in use" in fleet.log()


def test_tables_dropped_under_a_worker(prepared_postgres_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_postgres_url, 10_000, fake_config())
    with Fleet(prepared_postgres_url, tmp_path, 0.2) as fleet:
        fleet.start()
        wait_until(lambda: optuna_trials(prepared_postgres_url), "a trial")
        with study.storage.transaction() as db:
            db.exec_driver_sql("DROP TABLE colgan_slots")
        study.storage.close()
        (code,) = fleet.wait()
        assert code in (1, 2) and "colgan_slots" in fleet.log(), fleet.log()
