"""What `launch` does before a study's end."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from colgan_search.cli.last_moments import LastMoments
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care.monitor import Snapshot


def pretended(*, draining: bool = False) -> Any:
    """Two workers."""
    return SimpleNamespace(running=2, draining=draining)


def snapshot(done: int, running: int, *, told: bool = True) -> Snapshot:
    budget = Budget(total=4, done=done, running=running, free=4 - done - running, failed=0)
    return replace(Snapshot(budget, (), None, None), told=told)


def test_loaded_when_a_core_is_free_and_computed_once_all_is_told() -> None:
    calls: list[str] = []
    last = LastMoments(pretended(), lambda: calls.append("load"), lambda: calls.append("compute"))
    for now, expected in [
        (snapshot(1, 2), []),  # all are at it
        (snapshot(1, 1), []),  # one is between two trials
        (snapshot(2, 2), []),
        (snapshot(3, 1), ["load"]),
        (snapshot(3, 1), ["load"]),
        (snapshot(4, 0, told=False), ["load"]),
        (snapshot(4, 0), ["load", "compute"]),
        (snapshot(4, 0), ["load", "compute"]),
    ]:
        last.look(now)
        assert calls == expected, now.budget


def test_nothing_is_made_ready_for_a_drain() -> None:
    calls: list[str] = []
    workers = pretended(draining=True)
    LastMoments(workers, lambda: calls.append("load"), lambda: calls.append("compute")).look(snapshot(3, 1))
    assert calls == []
