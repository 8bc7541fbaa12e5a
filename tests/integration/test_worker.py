"""What a worker does at its start and at its end for those that died."""

import dataclasses
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from optuna.trial import TrialState

from colgan_search.api import working
from colgan_search.errors import DiskFull
from colgan_search.file_names import WorkFolder
from colgan_search.search import worker
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.budget.slots import Slots
from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.database.tables import slots
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.deliver import Spool
from colgan_search.search.study.opening import OpenStudy
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
    prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one accepts its result just after our last look, and dies before it tells Optuna."""
    # Leases as long as `assign` takes them: one that lies further ahead than the study's counts as run out.
    study = make_study(prepared_url, 4, fake_config(service={"lease_seconds": 60.0}))
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
    study.storage.close()


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


def test_a_worker_of_a_finished_study_offers_what_lies_in_the_spool(
    study: OpenStudy, prepared_url: str, tmp_path: Path
) -> None:
    """A dead worker's result that came too late would otherwise wait for ever, and forbid a copy."""
    late = assign(study, "dead")
    assert study.slots.release(late.claim)
    work = WorkFolder(tmp_path / "work")
    assert Worker(study, FakeExperiment(0.0), work, "fake", threading.Event()).run().finished
    Spool(work.spool(study.name)).put(spooled(study, late))
    request = working.WorkRequest(study.name, storage=prepared_url, work_dir=work.root)
    assert working.work(request, threading.Event()).finished
    assert list(work.spool(study.name).iterdir()) == []
    assert study.slots.budget().done == 4


def test_a_result_that_finds_no_room_on_disk_is_offered_from_memory(
    study: OpenStudy, prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Spool, result: deliver.Spooled) -> Path:
        raise DiskFull("no space left on the device")

    monkeypatch.setattr(Spool, "put", full)
    worked = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path / "work"), "fake", threading.Event()).run()
    assert worked.finished and worked.accepted == 4
    assert [trial.state for trial in optuna_trials(prepared_url)] == [TrialState.COMPLETE] * 4
    with study.storage.engine.connect() as db:
        assert set(db.execute(sa.select(slots.c.token)).scalars()) == {1}, "nothing was computed twice"


def test_tidying_that_fails_takes_no_result_back(
    study: OpenStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(number: int) -> None:
        raise OSError(13, "Permission denied")

    work = WorkFolder(tmp_path / "work")
    worked = Worker(study, FakeExperiment(0.0), work, "fake", threading.Event(), on_accepted=fails).run()
    assert worked.finished and worked.accepted == 4
    assert caplog.text.count("not tidied up after trial") == 4


@pytest.mark.slow
@pytest.mark.parametrize("when", ["reading", "sharing"])
def test_a_drain_while_the_images_are_read(when: str, prepared_url: str, tmp_path: Path) -> None:
    """Preparations that never look at the drain are left; others end by themselves."""
    make_study(prepared_url, 1, fake_config()).storage.close()
    reading = "threading.Event().wait()" if when == "reading" else "[time.sleep(0.05) for _ in iter(asked[3], True)]"
    program = f"""
import sys, threading, time
from pathlib import Path
from colgan_search.api import working
from colgan_search.errors import Interrupted
working.LEAVE_SECONDS = 1.0
def study_experiment(*asked):
    drain.set()
    {reading}
    raise Interrupted("asked to stop")
working.study_experiment = study_experiment
drain = threading.Event()
request = working.WorkRequest("fake", storage=sys.argv[1], work_dir=Path(sys.argv[2]), device="cpu")
print("ended by itself", working.work(request, drain).finished)
"""
    command = [sys.executable, "-c", program, prepared_url, str(tmp_path / "work")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if when == "reading" else "ended by itself False\n")
    assert ("drained while still preparing" in done.stderr) is (when == "reading")
