"""The snapshot behind the live view."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.database.tables import workers
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import fake_config, make_study, optuna_trials
from tests.integration.test_results import finish

# Who is silent for three leases is not shown.
CONFIG = fake_config(service={"lease_seconds": 600.0})


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 5, CONFIG)
    yield made
    made.storage.close()


def _enter(study: OpenStudy, pid: int, state: str = "training") -> str:
    identity = dataclasses.replace(ProcessId.mine(), pid=pid)
    registry = Registry(study.storage, study.uid)
    registry.enter(identity, "cpu")
    registry.update(identity.name, state)
    return identity.name


def test_an_empty_study(study: OpenStudy) -> None:
    seen = Monitor(study).snapshot()
    assert (seen.budget.total, seen.budget.done, seen.workers, seen.best, seen.seconds_left) == (5, 0, (), None, None)


def test_the_best_trial_follows_the_results(study: OpenStudy, tmp_path: Path, prepared_url: str) -> None:
    monitor = Monitor(study)
    for done in range(1, 4):
        finish(study, tmp_path)
        seen = monitor.snapshot()
        highest = max(trial.value for trial in optuna_trials(prepared_url))
        assert seen.budget.done == done and seen.best is not None and seen.best.value == highest


def test_a_trial_that_ends_after_a_later_one_is_seen_too(study: OpenStudy, tmp_path: Path, prepared_url: str) -> None:
    monitor = Monitor(study)
    finish(study, tmp_path)
    early = study.slots.claim("early", 600.0)
    assert early is not None
    propose.assign(study, early)
    for _ in range(2):
        finish(study, tmp_path)
        monitor.snapshot()
    assert study.slots.release(early)
    assert finish(study, tmp_path) == 1
    seen = monitor.snapshot()
    assert [trial.number for trial in monitor._completed] == [
        trial.number for trial in sorted(optuna_trials(prepared_url), key=lambda t: -(t.value or 0.0))
    ]
    assert seen.best is not None and seen.best.value == study.load().best_value


def test_only_workers_that_live_are_shown(study: OpenStudy) -> None:
    here = [_enter(study, 1), _enter(study, 2, "waiting")]
    _enter(study, 3, "left")
    _enter(study, 4, "died")
    silent = _enter(study, 5)
    with study.storage.transaction() as db:
        db.execute(workers.update().where(workers.c.worker == silent).values(seen=workers.c.seen - 1900.0))
    assert sorted(row.worker for row in Monitor(study).snapshot().workers) == sorted(here)


def test_the_time_left_is_the_mean_over_the_workers(study: OpenStudy, tmp_path: Path) -> None:
    monitor = Monitor(study)
    for _ in range(2):
        finish(study, tmp_path)
    for trial, seconds in zip(study.load().trials, (10.0, 30.0), strict=True):
        with study.storage.transaction() as db:
            statement = "UPDATE trial_user_attributes SET value_json = :text WHERE key = 'seconds' AND trial_id = :id"
            db.execute(sa.text(statement), {"text": str(seconds), "id": trial._trial_id})
    assert monitor.snapshot().seconds_left is None, "nobody works on it"
    fresh = make_study(study.storage.url_with_password, 5, CONFIG)
    _enter(study, 1)
    _enter(study, 2)
    seen = Monitor(fresh).snapshot()
    fresh.storage.close()
    assert seen.seconds_left == pytest.approx((5 - 2) * 20.0 / 2)


def test_before_the_first_result_one_look_tells_the_time_left(study: OpenStudy) -> None:
    """`status` sees a study but once."""
    worker = _enter(study, 1)
    claim = study.slots.claim(worker, 600.0)
    assert claim is not None
    claim = propose.assign(study, claim).claim
    Registry(study.storage, study.uid).update(worker, "training", 0, 4, 20)
    with study.storage.transaction() as db:
        db.execute(workers.update().values(started=workers.c.seen - 45.0))
    # 10 s an epoch, 20 epochs a trial, five trials of which four epochs are done.
    assert Monitor(study).snapshot().seconds_left == pytest.approx((5 - 4 / 20) * 200.0)
    assert study.slots.release(claim)
    assert study.slots.claim(worker, 600.0) is not None
    assert Monitor(study).snapshot().seconds_left is None, "it may go on from a checkpoint"
