"""What a worker does at its start and at its end for those that died."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from colgan_search.files import WorkFolder
from colgan_search.search import deliver, worker
from colgan_search.search.deliver import Spool
from colgan_search.search.registry import ProcessId, Registry
from colgan_search.search.slot_records import Claim
from colgan_search.search.slots import Slots
from colgan_search.search.study import OpenStudy
from colgan_search.search.tables import slots
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study, optuna_trials
from tests.integration.test_deliver import assign, spooled


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 4, fake_config())
    yield made
    made.storage.close()


def test_the_last_worker_tells_what_a_dead_one_had_accepted_but_not_told(
    study: OpenStudy, prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one accepts its result just after our last look, and dies before it tells Optuna."""
    other = assign(study, "other")
    real = Slots.claim

    def claim(self: Slots, name: str, lease_seconds: float, max_vanished: int | None) -> Claim | None:
        found = real(self, name, lease_seconds, max_vanished)
        if found is None:
            assert self.accept(other.claim, deliver.outcome_text(spooled(study, other)))
        return found

    monkeypatch.setattr(Slots, "claim", claim)
    work = WorkFolder(tmp_path / "work")
    worked = Worker(study, FakeExperiment(0.0), work, "fake", threading.Event()).run()
    assert worked.finished
    assert [trial.state for trial in optuna_trials(prepared_url)] == [TrialState.COMPLETE] * 4
    assert study.slots.closings() == []


def test_what_a_dead_worker_of_this_folder_had_finished_is_delivered_before_its_slot_is_given_away(
    study: OpenStudy, prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WorkFolder(tmp_path / "work")
    real = worker.release_dead

    def release_dead(study: OpenStudy) -> None:
        real(study)
        rival = study.slots.claim("a quick rival", 60.0)
        assert rival is not None and study.slots.release(rival)

    monkeypatch.setattr(worker, "release_dead", release_dead)
    dead = dataclasses.replace(ProcessId.mine(), created=1.0, ticks=1)
    Registry(study.storage, study.uid).enter(dead, "cpu")
    assignment = assign(study, dead.name)
    Spool(work.spool("fake")).put(spooled(study, assignment, value=7.5))
    Worker(study, FakeExperiment(0.0), work, "fake", threading.Event()).run()
    assert optuna_trials(prepared_url)[assignment.trial_number].value == 7.5
    with study.storage.engine.connect() as db:
        tokens = db.execute(sa.select(slots.c.token).order_by(slots.c.slot)).scalars().all()
    assert tokens == [1, 2, 1, 1], "the rival found slot 0 done"
