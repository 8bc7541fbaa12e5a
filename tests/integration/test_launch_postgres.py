"""The same study on a real PostgreSQL, with workers that come later and are killed: exactly T, none twice."""

import signal
from pathlib import Path

import pytest
from optuna.trial import TrialState

from colgan_search.search.registry import Registry, WorkerRow
from colgan_search.search.storage import open_storage
from colgan_search.search.study import OpenStudy, open_study
from tests.integration.cli_helpers import end, require_complete, start_cli, trials_of, wait_for, write_config

TRIALS = 3
LEASE_SECONDS = 3.0


@pytest.mark.slow
def test_killed_workers_trial_is_finished_by_another(postgres_url: str, tmp_path: Path) -> None:
    """`launch` with one worker, and a second worker from another folder, killed in the middle of a trial."""
    path = write_config(tmp_path, training__epochs=15, service__lease_seconds=LEASE_SECONDS)
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    launch = start_cli(
        "launch", "--config", path, "--trials", TRIALS, "--workers", 1, cwd=folders[0], COLGAN_STORAGE=postgres_url
    )
    late = None
    try:
        study = wait_for(lambda: _opened(postgres_url), "the study")
        late = start_cli("worker", "--study", "small", cwd=folders[1], COLGAN_STORAGE=postgres_url)
        pid = late.pid

        def in_the_middle() -> WorkerRow | None:
            rows = Registry(study.storage, study.uid).all()
            return next((r for r in rows if r.process.pid == pid and r.state == "training" and r.epoch), None)

        row = wait_for(in_the_middle, "the second worker to train")
        assert end(late, signal.SIGKILL) == -signal.SIGKILL
        left = trials_of(postgres_url)[row.trial_number]
        assert left.state == TrialState.RUNNING
        assert launch.wait(timeout=90) == 0
    finally:
        end(launch, signal.SIGTERM)
        if late is not None:
            end(late)
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


def _opened(url: str) -> OpenStudy | None:
    """The study, once it is there."""
    try:
        return open_study(open_storage(url), "small")
    except Exception:
        return None
