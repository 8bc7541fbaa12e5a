"""Workers of a study, and which of this machine are dead."""

import dataclasses
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from colgan_search import __version__
from colgan_search.file_names import WorkFolder
from colgan_search.search.budget.workers import ProcessId, Registry, WorkerState
from colgan_search.search.care.dead_workers import release_dead
from colgan_search.search.database.tables import workers
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import forks, make_study, wait_until


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 4)
    yield made
    made.storage.close()


@pytest.fixture
def registry(study: OpenStudy) -> Registry:
    return Registry(study.storage, study.uid)


def _tell_id(queue: "multiprocessing.SimpleQueue[ProcessId]") -> None:
    queue.put(ProcessId.mine())
    signal.pause()


@pytest.fixture
def other() -> Iterator[tuple[ProcessId, multiprocessing.process.BaseProcess]]:
    """Another process that waits, and its id."""
    queue = forks.SimpleQueue()
    process = forks.Process(target=_tell_id, args=(queue,))
    process.start()
    yield queue.get(), process
    process.kill()
    process.join()


def test_a_worker_is_seen_with_what_it_does(registry: Registry) -> None:
    me = ProcessId.mine()
    registry.enter(me, "cuda:0")
    registry.update(me.name, WorkerState.TRAINING, 7, 2, 50, 4.25)
    (row,) = registry.all()
    assert (row.worker, row.process, row.device, row.version) == (me.name, me, "cuda:0", __version__)
    assert (row.state, row.trial_number, row.epoch, row.epochs, row.last_is) == ("training", 7, 2, 50, 4.25)
    assert 0.0 <= row.quiet < 60.0
    registry.enter(me, "cuda:0")
    assert [row.state for row in registry.all()] == ["starting"], "entering again replaces the row"


def test_quiet_grows_on_the_databases_clock(registry: Registry) -> None:
    registry.enter(ProcessId.mine(), "cpu")
    with registry.storage.transaction() as db:
        db.execute(workers.update().values(seen=workers.c.seen - 100.0))
    assert 100.0 <= registry.all()[0].quiet < 160.0


def test_names_are_unique_and_say_where(other: tuple[ProcessId, object]) -> None:
    mine, theirs = ProcessId.mine(), other[0]
    assert mine == ProcessId.mine() and mine.name != theirs.name
    assert mine.name.startswith(f"{socket.gethostname()}:{os.getpid()}:")


def test_a_living_process_is_not_dead_even_if_it_is_stopped(
    other: tuple[ProcessId, multiprocessing.process.BaseProcess],
) -> None:
    identity, process = other
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    wait_until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "stopped")
    stopped = identity.is_dead_here()
    os.kill(process.pid, signal.SIGCONT)
    assert stopped is False and identity.is_dead_here() is False


def test_a_killed_process_is_dead(other: tuple[ProcessId, multiprocessing.process.BaseProcess]) -> None:
    identity, process = other
    process.kill()
    process.join()
    assert identity.is_dead_here() is True


def test_a_process_that_we_may_not_see_is_not_known_to_be_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's worker, on a machine that hides processes from others."""
    mine = ProcessId.mine()
    monkeypatch.setattr(os, "kill", _refused)
    assert dataclasses.replace(mine, ticks=1).is_dead_here() is False


def _refused(pid: int, number: int) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_reused_process_number_is_not_the_same_process() -> None:
    mine = ProcessId.mine()
    assert mine.ticks is not None
    assert dataclasses.replace(mine, ticks=mine.ticks - 1).is_dead_here() is True
    assert dataclasses.replace(mine, ticks=None, created=mine.created - 100).is_dead_here() is True
    assert dataclasses.replace(mine, ticks=None).is_dead_here() is False


def test_a_clock_that_was_set_kills_nobody() -> None:
    mine = ProcessId.mine()
    assert dataclasses.replace(mine, created=mine.created - 3600.0).is_dead_here() is False


def test_processes_of_other_machines_and_other_boots_are_not_judged() -> None:
    elsewhere = dataclasses.replace(ProcessId.mine(), machine="another boot/pid:[1]", pid=2**22 + 1)
    assert elsewhere.is_dead_here() is False


def test_only_dead_workers_slots_are_given_back_and_each_death_is_noted_once(
    study: OpenStudy, registry: Registry, other: tuple[ProcessId, multiprocessing.process.BaseProcess]
) -> None:
    theirs, process = other
    mine = ProcessId.mine()
    for identity in (mine, theirs):
        registry.enter(identity, "cpu")
        assert study.slots.claim(identity.name, 600.0) is not None
    assert release_dead(study) == 0
    process.kill()
    process.join()
    assert release_dead(study) == 1
    assert {row.worker: row.state for row in registry.all()} == {mine.name: "starting", theirs.name: "died"}
    assert release_dead(study) == 0
    assert (study.slots.budget().running, study.slots.budget().free) == (1, 1)


def test_a_worker_that_left_is_not_looked_for(study: OpenStudy, registry: Registry) -> None:
    gone = dataclasses.replace(ProcessId.mine(), ticks=1)
    registry.enter(gone, "cpu")
    registry.update(gone.name, WorkerState.LEFT)
    assert registry.dead_here() == []
    with registry.storage.engine.connect() as db:
        assert db.execute(sa.select(workers.c.state)).scalars().all() == ["left"]


SPOILT = ("process = '{}'", "process = 'x'", "last_is = 1e300", "epoch = -1", "state = 'asleep'")


@pytest.mark.parametrize("change", SPOILT)
def test_a_row_that_cannot_be_read_is_passed_over_with_a_word(
    change: str, study: OpenStudy, registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every worker's role may write one; it must not keep all the others from the study."""
    mine = ProcessId.mine()
    bad = dataclasses.replace(mine, pid=1, host="spoilt")
    for identity in (mine, bad):
        registry.enter(identity, "cpu")
    with registry.storage.transaction() as db:
        db.execute(sa.text(f"UPDATE colgan_workers SET {change} WHERE worker = '{bad.name}'"))
    for _ in range(3):  # a live view reads them every second
        assert [row.worker for row in registry.all()] == [mine.name]
    assert registry.names() == {mine.name, bad.name}, "its log is not a stranger's"
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(said) == 1 and bad.name in said[0] and "passed over" in said[0], said
    worker = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "cpu", threading.Event())
    assert worker.run().finished
    assert study.slots.budget().done == 4


def test_a_dead_workers_slot_is_taken_over_whatever_its_row_says(study: OpenStudy, registry: Registry) -> None:
    bad = dataclasses.replace(ProcessId.mine(), machine="elsewhere", host="spoilt")
    registry.enter(bad, "cpu")
    claim = study.slots.claim(bad.name, 60.0)
    assert claim is not None
    propose.assign(study, claim)
    registry.update(bad.name, WorkerState.TRAINING, 0)
    with registry.storage.transaction() as db:
        db.execute(workers.update().values(epoch=-1))
    assert study.slots.release_of([bad.name]) == 1
    assert study.slots.budget().free == 1
