"""How long the rest of a study may take: from the trials that have ended, and before that from the first epochs."""

import math
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.workers import WorkerRow

LOOK_SECONDS = 1.0
"""Workers tell their epoch once a second: a change is seen so much late at most."""

LEAST_SECONDS = 2.0
"""Less is too short to measure."""


@dataclass(frozen=True)
class TrialTime:
    """The seconds of one trial, and how exactly they are known."""

    seconds: float
    error: float = 0.0


@dataclass(frozen=True)
class TimeLeft:
    """Until the last result: the expected seconds, and their standard deviation (None if only one time is known)."""

    seconds: float
    spread: float | None


@dataclass
class _Run:
    """A trial as it is seen to move: at the first change of its epoch, and at the latest."""

    trial: int | None
    first: tuple[float, int]
    latest: tuple[float, int]
    epochs: int


class Pace:
    """Watches the epochs of the running trials, look by look."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[int | None, int | None]] = {}
        self._runs: dict[str, _Run] = {}

    def see(self, workers: Sequence[WorkerRow]) -> None:
        """Takes note of where every worker is now."""
        now = self._clock()
        for row in workers:
            at = (row.trial_number, row.epoch)
            moved = self._seen.get(row.worker, at) != at  # how long it has been there at the first look is not known
            self._seen[row.worker] = at
            if not moved or row.epoch is None or not row.epochs:
                continue
            run = self._runs.get(row.worker)
            if run is None or run.trial != row.trial_number:
                self._runs[row.worker] = _Run(row.trial_number, (now, row.epoch), (now, row.epoch), row.epochs)
            else:
                run.latest = (now, row.epoch)

    def trial_times(self) -> list[TrialTime]:
        """What a whole trial takes by the epochs of each run that was seen to move; the scoring at the end is extra."""
        found = []
        for run in self._runs.values():
            seconds, epochs = run.latest[0] - run.first[0], run.latest[1] - run.first[1]
            if epochs > 0 and seconds >= LEAST_SECONDS:
                found.append(TrialTime(seconds / epochs * run.epochs, LOOK_SECONDS / epochs * run.epochs))
        return found

    def left(self, workers: Sequence[WorkerRow], usual: float | None) -> dict[str, float]:
        """Worker -> seconds until its trial's last epoch, by that trial's own epochs once they were seen to move.

        Before that by the `usual` seconds of a trial (None: not known). Scoring at the end is extra.
        """
        now = self._clock()
        found = {}
        for row in workers:
            if row.epoch is None or not row.epochs or row.trial_number is None:
                continue
            run = self._runs.get(row.worker)
            epochs = 0 if run is None or run.trial != row.trial_number else run.latest[1] - run.first[1]
            if run is not None and epochs > 0:
                each = (run.latest[0] - run.first[0]) / epochs
                found[row.worker] = max(0.0, each * (run.epochs - run.latest[1]) - (now - run.latest[0]))
            elif usual is not None:
                found[row.worker] = usual * (1.0 - min(1.0, row.epoch / row.epochs))
        return found


def first_trial_times(workers: Sequence[WorkerRow], first: Collection[int]) -> list[TrialTime]:
    """What a trial takes by one look, if no trial has ended: workers came to their epochs since they started.

    `first`: trials that nobody has begun before; one that goes on from a checkpoint says nothing. The epoch that a
    worker is in counts half.
    """
    found = []
    for row in workers:
        if row.trial_number in first and row.up is not None and row.up >= LEAST_SECONDS and row.epoch and row.epochs:
            epoch = row.up / (row.epoch + 0.5)
            found.append(TrialTime(epoch * row.epochs, 0.5 * epoch / row.epoch * row.epochs))
    return found


def time_left(
    budget: Budget, workers: Sequence[WorkerRow], times: Sequence[TrialTime], told: Collection[int]
) -> TimeLeft | None:
    """What the remaining trials take on these workers if each takes what others took, `times`.

    What running trials have done counts; `told` are the numbers of trials that have ended. None if nothing is known.
    """
    remaining = budget.total - budget.done
    if not times or not workers or remaining <= 0:
        return None
    done = [row.epoch / row.epochs for row in workers if row.epoch and row.epochs and row.trial_number not in told]
    training = sum(row.trial_number is not None and row.trial_number not in told for row in workers)
    trials = max(0.0, remaining - sum(done))
    at_once = min(len(workers), remaining)
    seconds = [trial.seconds for trial in times]
    mean = statistics.fmean(seconds)
    # The slowest of the running ones has to end as well.
    longest = 1.0 - (min(done) if len(done) == training else 0.0) if training else 0.0
    expected = max(trials / at_once, longest) * mean
    if len(times) < 2:
        return TimeLeft(expected, None)
    # Every trial differs by the deviation, and the mean itself is known by so many trials only, each with its error.
    one = statistics.variance(seconds)
    of_mean = (one + statistics.fmean(trial.error**2 for trial in times)) / len(times)
    return TimeLeft(expected, math.sqrt(trials * one + trials**2 * of_mean) / at_once)


def not_before(left: TimeLeft | None, trials: Mapping[str, float]) -> TimeLeft | None:
    """The same, but not less than the longest of these seconds, which running trials take by their own epochs: they
    may be slower than those that have ended."""
    return None if left is None else replace(left, seconds=max([left.seconds, *trials.values()]))
