"""The same study on a real PostgreSQL, with workers that come later and are killed: exactly T, none twice."""

import signal
from pathlib import Path

import pytest
from optuna.trial import TrialState

from colgan_search.search.budget.workers import Registry, WorkerRow
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from tests.integration.cli_helpers import (
    WAIT_SECONDS,
    end,
    require_complete,
    start_cli,
    trials_of,
    wait_for,
    write_config,
)

pytestmark = pytest.mark.slow

TRIALS = 3
LEASE_SECONDS = 3.0


@pytest.mark.slow
def test_killed_workers_trial_is_finished_by_another(postgres_url: str, tmp_path: Path) -> None:
    """A worker killed in the middle of a trial; `launch`, from another folder, comes later and finishes that trial."""
    path = write_config(tmp_path, training__epochs=15, service__lease_seconds=LEASE_SECONDS)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    arguments = ("launch", "--config", path, "--trials", TRIALS, "--workers")
    # The study first, without workers: the one to be killed cannot be late for its trial.
    assert end(start_cli(*arguments, 0, cwd=folders[0], COLGAN_STORAGE=postgres_url), 0) == 0
    study = open_study(open_storage(postgres_url), "small")
    killed = start_cli("worker", "--study", "small", cwd=folders[1], COLGAN_STORAGE=postgres_url)
    launch = None
    try:

        def in_the_middle() -> WorkerRow | None:
            rows = Registry(study.storage, study.uid).all()
            return next((r for r in rows if r.process.pid == killed.pid and r.state == "training" and r.epoch), None)

        row = wait_for(in_the_middle, "the worker to train")
        launch = start_cli(*arguments, 1, cwd=folders[0], COLGAN_STORAGE=postgres_url)
        assert end(killed, signal.SIGKILL) == -signal.SIGKILL
        left = trials_of(postgres_url)[row.trial_number]
        assert left.state == TrialState.RUNNING
        assert launch.wait(timeout=WAIT_SECONDS) == 0
    finally:
        end(killed)
        if launch is not None:
            end(launch, signal.SIGTERM)
    trials = require_complete(postgres_url, TRIALS)
    finished = trials[row.trial_number]
    assert finished.params == left.params
    assert finished.datetime_start == left.datetime_start
    assert finished.user_attrs["seed"] == left.user_attrs["seed"]
    assert finished.user_attrs["worker"] != row.worker
    # One slot for every trial: no result was counted twice.
    assert set(study.slots.bound_trials()) == set(range(TRIALS))
    assert study.slots.budget().done == TRIALS
    assert len({trial.user_attrs["seed"] for trial in trials}) == TRIALS
    study.storage.close()
