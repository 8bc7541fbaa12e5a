"""The time that a study still takes: computed by hand for a few workers and trials."""

import math
from dataclasses import replace

import pytest

from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.workers import ProcessId, WorkerRow
from colgan_search.search.care.pace import Pace, TimeLeft, TrialTime, first_trial_times, not_before, time_left

PROCESS = ProcessId("host", "machine", 1, 0.0, None)


def row(worker: str = "a", trial: int | None = 0, epoch: int | None = None, epochs: int | None = 20) -> WorkerRow:
    return WorkerRow(worker, PROCESS, "cpu", "0", "training", 0.0, trial, epoch, epochs, None)


def budget(total: int, done: int) -> Budget:
    return Budget(total, done, running=0, free=0, failed=0)


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def see(pace: Pace, clock: Clock, *looks: tuple[float, WorkerRow]) -> list[float]:
    for seconds, worker in looks:
        clock.now = 100.0 + seconds
        pace.see([worker])
    return [trial.seconds for trial in pace.trial_times()]


def test_the_first_epochs_tell_a_trials_seconds(clock: Clock) -> None:
    pace = Pace(clock)
    assert see(pace, clock, (0, row(epoch=None)), (1, row(epoch=0))) == []
    assert see(pace, clock, (9, row(epoch=0))) == []
    assert see(pace, clock, (11, row(epoch=1))) == [pytest.approx(10 * 20)]
    # Between two changes time goes on, but nothing new is known.
    assert see(pace, clock, (19, row(epoch=1))) == [pytest.approx(200)]
    assert see(pace, clock, (41, row(epoch=4))) == [pytest.approx(40 / 4 * 20)]


def test_where_a_worker_was_at_the_first_look_is_no_measure(clock: Clock) -> None:
    pace = Pace(clock)
    assert see(pace, clock, (0, row(epoch=7)), (1, row(epoch=8)), (2.5, row(epoch=8))) == []
    assert see(pace, clock, (7, row(epoch=10))) == [pytest.approx(6 / 2 * 20)]


def test_what_is_too_short_to_measure_is_not(clock: Clock) -> None:
    pace = Pace(clock)
    assert see(pace, clock, (0, row()), (0.5, row(epoch=0)), (1, row(epoch=4))) == []
    assert see(pace, clock, (2.5, row(epoch=8))) == [pytest.approx(2 / 8 * 20)]


def test_every_trial_is_measured_anew(clock: Clock) -> None:
    pace = Pace(clock)
    see(pace, clock, (0, row()), (1, row(epoch=0)), (11, row(epoch=20)))
    assert see(pace, clock, (12, row(trial=1, epoch=0)), (52, row(trial=1, epoch=1))) == [pytest.approx(800)]


def test_nothing_is_known() -> None:
    assert time_left(budget(5, 0), [row()], [], ()) is None
    assert time_left(budget(5, 0), [], [TrialTime(10.0)], ()) is None
    assert time_left(budget(5, 5), [row()], [TrialTime(10.0)], ()) is None


@pytest.mark.parametrize(
    ("total", "done", "workers", "seconds", "expected"),
    [
        (5, 2, [row(trial=None)], [10.0], 30.0),
        (5, 2, [row(trial=None), row("b", trial=None)], [10.0], 15.0),
        (3, 2, [row(trial=None), row("b", trial=None)], [10.0], 10.0),  # one trial, however many workers
        (1, 0, [row(epoch=15)], [10.0], 2.5),
        (4, 0, [row(epoch=10)], [10.0], 35.0),
        (2, 0, [row(epoch=18), row("b", 1, epoch=2)], [10.0], 9.0),  # the slower one, not their mean
        (2, 0, [row(epoch=18), row("b", 1)], [10.0], 10.0),
        (2, 1, [row(epoch=20), row("b", 1, epoch=10)], [10.0], 5.0),  # trial 0 has ended and counts once
    ],
)
def test_the_rest_is_shared_among_the_workers(
    total: int, done: int, workers: list[WorkerRow], seconds: list[float], expected: float
) -> None:
    found = time_left(budget(total, done), workers, [TrialTime(time) for time in seconds], told=range(done))
    assert found is not None and found.spread is None
    assert found.seconds == pytest.approx(expected)


def test_the_spread_is_that_of_a_sum_of_trials() -> None:
    # Times 8 and 12: mean 10, deviation sqrt(8). Six trials on two workers: var = 8 * 6 / 4 + 8 / 2 * (6 / 2)^2 = 48.
    times = [TrialTime(8.0), TrialTime(12.0)]
    found = time_left(budget(8, 2), [row(trial=None), row("b", trial=None)], times, (0, 1))
    assert found is not None and found.spread is not None
    assert found == TimeLeft(pytest.approx(30.0), pytest.approx(math.sqrt(48.0)))


def test_the_end_does_not_come_before_that_of_a_running_trial() -> None:
    assert not_before(TimeLeft(25.0, 5.0), {"a": 32.0, "b": 41.0}) == TimeLeft(41.0, 5.0)
    assert not_before(TimeLeft(25.0, None), {"a": 3.0}) == TimeLeft(25.0, None)
    assert not_before(TimeLeft(25.0, 5.0), {}) == TimeLeft(25.0, 5.0) and not_before(None, {"a": 3.0}) is None


def test_workers_that_agree_after_one_epoch_are_not_certain(clock: Clock) -> None:
    pace = Pace(clock)
    for seconds, epoch in ((0, None), (5, 0), (15, 1)):
        clock.now = 100.0 + seconds
        pace.see([row(epoch=epoch), row("b", 1, epoch=epoch)])
    assert pace.trial_times() == [TrialTime(200.0, 20.0)] * 2  # a second late in one of twenty epochs
    found = time_left(budget(4, 0), [row(trial=None), row("b", trial=None)], pace.trial_times(), ())
    assert found == TimeLeft(400.0, pytest.approx(math.sqrt(4**2 * 20.0**2 / 2) / 2))


def test_one_look_at_the_first_trials_tells_their_seconds() -> None:
    def at(epoch: int | None, up: float | None, trial: int = 0) -> WorkerRow:
        return replace(row(trial=trial, epoch=epoch), up=up)

    # 45 s for four epochs and half of the fifth: 10 s each, 20 of them.
    assert first_trial_times([at(4, 45.0)], {0}) == [TrialTime(pytest.approx(200.0), pytest.approx(25.0))]
    # What goes on from a checkpoint, has no epoch yet or is too short says nothing.
    unknown = [at(4, 45.0, trial=1), at(0, 45.0), at(None, 45.0), at(4, 1.9), at(4, None)]
    assert first_trial_times(unknown, {0}) == []


def test_the_time_left_of_a_trial_is_by_its_own_epochs(clock: Clock) -> None:
    pace = Pace(clock)
    see(pace, clock, (0, row(epoch=None)), (1, row(epoch=0)), (21, row(epoch=2)))
    # 10 s an epoch, 18 of 20 epochs to go; four seconds later four less.
    assert pace.left([row(epoch=2)], None) == {"a": pytest.approx(180.0)}
    clock.now += 4.0
    assert pace.left([row(epoch=2)], None) == {"a": pytest.approx(176.0)}


def test_a_trial_that_was_not_seen_to_move_takes_what_others_took(clock: Clock) -> None:
    pace = Pace(clock)
    see(pace, clock, (0, row(epoch=5)))
    assert pace.left([row(epoch=5), row("b", 1, epoch=None)], None) == {}
    assert pace.left([row(epoch=5), row("b", 1, epoch=None)], 80.0) == {"a": pytest.approx(60.0)}
