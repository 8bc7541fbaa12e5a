"""A worker that waits for a slot does not ask the database again and again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from colgan_search.file_names import WorkFolder
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care.idle import Idle
from colgan_search.search.database.storage import Storage
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study

STANDS = Budget(total=2, done=1, running=1, free=0, failed=0)


class Looks(threading.Event):
    """A drain that comes at the look number `last`; time stands still, but what was waited for is added up."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        if len(self.pauses) == self.last:
            self.set()
        return self.is_set()


@contextmanager
def counted(storage: Storage) -> Iterator[list[str]]:
    """The statements that reach the database, of all engines."""
    said: list[str] = []

    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        said.append(statement)

    storage.optuna.get_all_studies()
    assert storage._backend is not None
    engines = {storage.engine, storage._backend.engine}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    yield said
    for engine in engines:
        sa.event.remove(engine, "before_cursor_execute", note)


def test_an_idle_worker_asks_less_and_less(prepared_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_url, 1, fake_config(service={"lease_seconds": 90.0}))
    assert study.slots.claim("another", 90.0) is not None
    drain = Looks(40)
    worker = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "fake", drain)
    with counted(study.storage) as said:
        worked = worker.run()
    study.storage.close()
    assert not worked.finished and len(drain.pauses) == 40
    rate = len(said) / sum(drain.pauses)
    print(f"{rate:.2f} statements a second")
    assert rate < 4.0, f"{len(said)} statements in {sum(drain.pauses):.0f} s; there were 22 a second"


def test_pauses_grow_until_something_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    idle = Idle(longest=20.0)
    assert [idle.pause(STANDS) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    changed = Budget(total=2, done=1, running=0, free=1, failed=0)
    assert [idle.pause(changed) for _ in range(2)] == [1.0, 2.0]


def test_results_of_others_do_not_set_those_who_wait_looking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    idle = Idle(longest=20.0)
    pauses = [idle.pause(Budget(total=9, done=done, running=9 - done, free=0, failed=0)) for done in range(5)]
    assert pauses == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert idle.pause(Budget(total=10, done=5, running=4, free=0, failed=0)) == 1.0, "there is one more to be had"


def test_no_pause_is_longer_than_a_quarter_of_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    idle = Idle(longest=0.75)
    assert [idle.pause(STANDS) for _ in range(3)] == [0.75] * 3


def test_workers_that_become_idle_together_do_not_ask_together() -> None:
    pauses = {Idle(longest=20.0).pause(STANDS) for _ in range(20)}
    assert len(pauses) > 10 and all(0.5 <= pause <= 1.0 for pause in pauses)
