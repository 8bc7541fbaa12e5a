"""What `launch` does before a study's end, and who is sent home at it."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from colgan_search.cli.last_moments import LastMoments
from colgan_search.launchers.local import LocalWorkers
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.workers import WorkerState
from colgan_search.search.care.monitor import Snapshot


class Pretended(LocalWorkers):
    """Two workers that note who is dismissed."""

    def __init__(self) -> None:
        self.draining = False
        self.dismissed: list[str] = []

    @property
    def running(self) -> int:
        return 2

    def dismiss(self, names: Any) -> None:
        self.dismissed += names


def snapshot(done: int, running: int, *, told: bool = True) -> Snapshot:
    rows: Any = [
        SimpleNamespace(worker="host:1:00000001", state=WorkerState.WAITING),
        SimpleNamespace(worker="host:2:00000001", state=WorkerState.TRAINING),
    ]
    budget = Budget(total=4, done=done, running=running, free=4 - done - running, failed=0)
    return replace(Snapshot(budget, (), None, None), workers=tuple(rows), told=told)


def test_ready_when_a_core_is_free_and_again_at_the_end() -> None:
    workers, calls = Pretended(), []
    last = LastMoments(workers, lambda: calls.append(1))
    for now, expected in [
        (snapshot(1, 2), 0),  # all are at it
        (snapshot(1, 1), 0),  # one is between two trials
        (snapshot(2, 2), 0),
        (snapshot(3, 1), 1),
        (snapshot(3, 1), 1),
        (snapshot(4, 0, told=False), 1),
        (snapshot(4, 0), 2),
        (snapshot(4, 0), 2),
    ]:
        last.look(now)
        assert len(calls) == expected, now.budget


def test_waiting_workers_go_home_when_every_result_is_told() -> None:
    workers = Pretended()
    last = LastMoments(workers, lambda: None)
    for now in (snapshot(3, 1), snapshot(4, 0, told=False)):
        last.look(now)
        assert workers.dismissed == []
    last.look(snapshot(4, 0))
    assert workers.dismissed == ["host:1:00000001"]


def test_nothing_is_made_ready_for_a_drain() -> None:
    workers, calls = Pretended(), []
    workers.draining = True
    LastMoments(workers, lambda: calls.append(1)).look(snapshot(3, 1))
    assert calls == []
