"""How a study stands at this moment: for the live view, `status` and plain progress lines."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.workers import GONE, Registry, WorkerRow
from colgan_search.search.care.pace import Pace, TimeLeft, TrialTime, first_trial_times, not_before, time_left
from colgan_search.search.study import results
from colgan_search.search.study.cuts import NO_CUTS, Cuts, cuts
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord
from colgan_search.search.study.shared_files import SharedFiles


@dataclass(frozen=True)
class Snapshot:
    """A study's budget, its workers that have not left, its best trial, and what the rest may take."""

    budget: Budget
    workers: tuple[WorkerRow, ...]
    best: TrialRecord | None
    """The trial with the best value, the luckiest run; which graph is best says `search.ranking`."""
    seconds_left: float | None
    """By the trials that have ended, or else by the epochs seen so far (see `pace`); None before these."""
    classifier_accuracy: float | None = None
    """Held-out accuracy, 0..1, of the classifier that scores; None with another extractor, or before it is trained."""
    seconds_spread: float | None = None
    """Standard deviation of `seconds_left`; None as long as only one time is known."""
    cuts: Cuts = NO_CUTS
    """What was pruned, and how often that was wrong."""
    trial_left: Mapping[str, float] = field(default_factory=dict)
    """Worker -> seconds that its trial still takes; without those of which nothing is known."""
    reused: int = 0
    """Trials that were taken over from other studies; none of the budget's."""
    told: bool = False
    """True if every result that was accepted is its trial's by now, so that nobody is needed to tell it."""


class Monitor:
    """Takes snapshots; reads the trials again only when the number of results has changed, and the old ones once."""

    def __init__(self, study: OpenStudy, clock: Callable[[], float] = time.monotonic) -> None:
        self.study = study
        self.latest: Snapshot | None = None
        """The last one that could be taken."""
        self._pace = Pace(clock)
        self._done = -1
        self._ended: list[TrialRecord] = []
        self._completed: list[TrialRecord] = []
        self._pruned: list[TrialRecord] = []
        self._own = 0
        self._accuracy: float | None = None

    def snapshot(self) -> Snapshot:
        """The study as it is now."""
        budget = self.study.slots.budget()
        if budget.done != self._done or self._own < budget.done:
            self._read()
            self._done = budget.done
        silent = 3 * self.study.config.service.lease_seconds
        rows = Registry(self.study.storage, self.study.uid).all()
        workers = tuple(row for row in rows if row.state not in GONE and row.quiet < silent)
        if self._accuracy is None and EXTRACTORS.get(self.study.config.evaluation.extractor).trained:
            self._accuracy = SharedFiles(self.study).classifier_accuracy()
        best = self._completed[0] if self._completed else None
        left = self._left(budget, workers)
        trial_left = self._pace.left(workers, self._usual())
        left = not_before(left, trial_left)
        self.latest = Snapshot(
            budget,
            workers,
            best,
            None if left is None else left.seconds,
            self._accuracy,
            None if left is None else left.spread,
            cuts([*self._completed, *self._pruned], self.study.config.objective),
            trial_left,
            sum(trial.reused_from is not None for trial in self._completed),
            self._own >= budget.done,
        )
        return self.latest

    @property
    def completed(self) -> Sequence[TrialRecord]:
        """The complete trials as of the last snapshot, best first."""
        return self._completed

    def _read(self) -> None:
        """The complete trials, best first, and the pruned. Those below the first that has not ended are read once."""
        rest = results.trials(self.study, self._ended[-1].number + 1 if self._ended else 0)
        ended = list(takewhile(lambda trial: trial.state not in results.UNFINISHED, rest))
        self._ended += ended
        records = [*self._ended, *rest[len(ended) :]]
        self._completed = results.best_first(records, self.study.config.objective)
        self._pruned = [trial for trial in records if trial.state == "pruned"]
        self._own = len(self._of_this_study())

    def _of_this_study(self) -> list[TrialRecord]:
        """The results that took a slot of it."""
        return [trial for trial in (*self._completed, *self._pruned) if trial.reused_from is None]

    def _usual(self) -> float | None:
        times = [trial.seconds for trial in self._of_this_study() if trial.seconds is not None]
        times = times or [trial.seconds for trial in self._pace.trial_times()]
        return statistics.fmean(times) if times else None

    def _left(self, budget: Budget, workers: tuple[WorkerRow, ...]) -> TimeLeft | None:
        self._pace.see(workers)
        ended = self._of_this_study()
        times = [TrialTime(trial.seconds) for trial in ended if trial.seconds is not None]
        told = {trial.number for trial in ended}
        times = times or self._pace.trial_times()
        if not times and any(row.epoch for row in workers):  # one look is all that `status` has
            times = first_trial_times(workers, self.study.slots.first_claims())
        return time_left(budget, workers, times, told)
