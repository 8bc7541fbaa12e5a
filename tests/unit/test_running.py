"""The one loop that runs a study to its end, over workers that only pretend."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from colgan_search.api import running
from colgan_search.api.running import BackgroundRun, Ended, run_to_end
from colgan_search.errors import BadInput, ColganError, Interrupted
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import fake_config, make_study


class Pretended:
    """Workers that run until they are drained, or for so many looks."""

    def __init__(self, looks: int | None = None, failed: tuple[int, ...] = (), refused: bool = False) -> None:
        self.left = looks
        self.failed = list(failed)
        self.refused = refused
        self.draining = self.killed = self.stubborn = False
        self.stays: str | None = None

    def poll(self) -> int:
        if self.left is not None:
            self.left -= 1
            return max(self.left, 0)
        return 0 if self.killed or (self.draining and not self.stubborn) else 1

    @property
    def running(self) -> int:
        return 1 if self.left is None else max(self.left, 0)

    def drain(self) -> None:
        self.draining = True

    def kill(self) -> None:
        self.killed = True

    def last_words(self, number: int) -> str:
        return f"words of {number}"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStudy]:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.001)
    made = make_study(f"sqlite:///{tmp_path / 's.db'}", 3, fake_config())
    yield made
    made.storage.close()


class CtrlC:
    """A look during which Ctrl-C is pressed, the first `times` times."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> None:
        self.left -= 1
        if self.left >= 0:
            raise KeyboardInterrupt


def raising(error: BaseException) -> Callable[[], None]:
    def look() -> None:
        raise error

    return look


def test_looks_until_all_have_ended(study: OpenStudy) -> None:
    looks: list[int] = []
    workers: Any = Pretended(4, failed=(1,))
    ended = run_to_end(study, workers, lambda: looks.append(1))
    assert len(looks) == 3, "poll gives 3, 2, 1, 0"
    assert study.slots.budget().total == 3
    assert ended == Ended("fake", study.slots.budget(), False, ("words of 1",), False)


def test_the_end_of_the_last_worker_is_seen_at_once(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    workers: Any = Pretended(2)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            workers.left = 0

    monkeypatch.setattr(running, "time", SimpleNamespace(sleep=sleep))
    run_to_end(study, workers)
    assert len(slept) == 3 and sum(slept) < running.POLL_SECONDS


def test_an_error_of_the_look_drains(study: OpenStudy) -> None:
    workers: Any = Pretended()
    with pytest.raises(ZeroDivisionError):
        run_to_end(study, workers, raising(ZeroDivisionError()))
    assert workers.draining


def test_one_ctrl_c_drains_and_two_kill(study: OpenStudy) -> None:
    workers: Any = Pretended()
    run = BackgroundRun(study, workers)
    with pytest.raises(KeyboardInterrupt):
        run.wait(CtrlC(1))
    assert workers.draining and not workers.killed and run.over
    assert run.wait().drained
    stubborn: Any = Pretended()
    stubborn.stubborn = True
    with pytest.raises(KeyboardInterrupt):
        BackgroundRun(study, stubborn).wait(CtrlC(2))
    assert stubborn.draining and stubborn.killed


def test_drained_by_another_thread(study: OpenStudy) -> None:
    workers: Any = Pretended()
    run = BackgroundRun(study, workers)
    assert not run.over
    threading.Thread(target=run.drain).start()
    assert run.wait().drained and run.over


def test_an_error_in_the_background_is_told_to_whoever_waits(study: OpenStudy) -> None:
    workers: Any = SimpleNamespace(poll=raising(OSError("no more processes")), drain=lambda: None)
    with pytest.raises(OSError, match="no more processes"):
        BackgroundRun(study, workers).wait()


@pytest.mark.parametrize(
    ("done", "drained", "failures", "refused", "kind", "words"),
    [
        (3, True, (), False, None, ""),
        (2, True, (), False, Interrupted, "stopped with 2 of 3 trials done; the same command goes on"),
        (2, False, ("no such folder",), True, BadInput, "2 of 3 trials done:\n  no such folder"),
        (2, False, ("boom", "bang"), False, ColganError, "all workers have ended with .*\n  boom\n  bang"),
        (2, False, (), False, ColganError, "none says why"),
        (None, True, (), False, Interrupted, "stopped while the database is away"),
    ],
)
def test_what_became_of_it(
    done: int | None, drained: bool, failures: tuple[str, ...], refused: bool, kind: Any, words: str
) -> None:
    budget = None if done is None else Budget(3, done, 0, 3 - done, 0)
    ended = Ended("s", budget, drained, failures, refused)
    assert ended.finished is (done == 3)
    if kind is None:
        ended.require_finished()
        return
    with pytest.raises(kind, match=words) as raised:
        ended.require_finished()
    assert type(raised.value) is kind
