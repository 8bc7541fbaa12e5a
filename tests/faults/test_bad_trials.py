"""Trials that fault, disks that fill up, studies that vanish under their workers."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest

from colgan_search.search.storage import open_storage
from colgan_search.search.study import open_study
from tests.fleet import Fleet, assert_exact, fake_config, make_study, optuna_trials, rows_of, wait_until


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
    config = fake_config()
    make_study(prepared_url, 4, config).storage.close()
    with Fleet(prepared_url, tmp_path, 0.1, orders="fault-on:1") as fleet:
        fleet.start(3)
        assert fleet.wait() == [0, 0, 0], fleet.log()
    assert_exact(prepared_url, 4, failed=1, config=config)
    storage = open_storage(prepared_url)
    (failure,) = open_study(storage, "fake").slots.failures()
    storage.close()
    assert failure.trial_number == 1
    assert len({fault["worker"] for fault in failure.faults}) == 3
    failed = optuna_trials(prepared_url)[1]
    assert [fault["reason"] for fault in failed.user_attrs["faults"]] == [f["reason"] for f in failure.faults]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root and its capabilities")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk_gives_the_slot_back_and_stops_the_worker(
    prepared_postgres_url: str, tmp_path: Path, small_disk: Path
) -> None:
    url = prepared_postgres_url
    config = fake_config()
    make_study(url, 4, config).storage.close()
    with Fleet(url, small_disk, 0.1, log_dir=tmp_path) as fleet:
        with pytest.raises(OSError), (small_disk / "fill").open("wb") as fill:
            while True:
                fill.write(b"x" * 4096)
                fill.flush()
        fleet.start()
        assert fleet.wait() == [1], fleet.log()
        assert "3 faults in a row, this worker stops" in fleet.log() and "no space left" in fleet.log()
        assert all("DiskFull" in reason and "no space left" in reason for (reason,) in _faults(url))
        assert rows_of(url, "SELECT DISTINCT state FROM colgan_slots") == [("free",)]
        assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["fill"], "nothing half-written"
        (small_disk / "fill").unlink()
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(url, 4, config=config)


@pytest.mark.parametrize("moment", ["training", "waiting"])
def test_a_study_deleted_under_its_worker(prepared_url: str, tmp_path: Path, moment: str) -> None:
    study = make_study(prepared_url, 1, fake_config(service={"lease_seconds": 3.0}))
    if moment == "waiting":
        assert study.slots.claim("a worker that will not come back", 3.0) is not None
    with Fleet(prepared_url, tmp_path, 1.0) as fleet:
        fleet.start()
        if moment == "training":
            wait_until(lambda: optuna_trials(prepared_url), "a trial")
        else:
            wait_until(lambda: rows_of(prepared_url, "SELECT 1 FROM colgan_workers WHERE state = 'waiting'"), "idle")
        optuna.delete_study(study_name="fake", storage=study.storage.optuna)
        study.storage.close()
        assert fleet.wait() == [2], fleet.log()
        assert "StudyError" in fleet.log() and "was deleted while it was in use" in fleet.log()


def test_tables_dropped_under_a_worker(prepared_postgres_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_postgres_url, 100, fake_config())
    with Fleet(prepared_postgres_url, tmp_path, 0.2) as fleet:
        fleet.start()
        wait_until(lambda: optuna_trials(prepared_postgres_url), "a trial")
        with study.storage.transaction() as db:
            db.exec_driver_sql("DROP TABLE colgan_slots")
        study.storage.close()
        (code,) = fleet.wait()
        assert code in (1, 2) and "colgan_slots" in fleet.log(), fleet.log()
