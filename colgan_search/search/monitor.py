"""How a study stands at this moment: for the live view, `status` and plain progress lines."""

from dataclasses import dataclass

from colgan_search.search import results
from colgan_search.search.registry import Registry, WorkerRow
from colgan_search.search.results import TrialRecord
from colgan_search.search.shared_files import SharedFiles
from colgan_search.search.slot_records import Budget
from colgan_search.search.study import OpenStudy

GONE = ("left", "died")


@dataclass(frozen=True)
class Snapshot:
    """A study's budget, its workers that have not left, its best trial, and what the rest may take."""

    budget: Budget
    workers: tuple[WorkerRow, ...]
    best: TrialRecord | None
    seconds_left: float | None
    """Remaining trials times their mean seconds over the live workers; None before the first result."""
    classifier_accuracy: float | None = None
    """Held-out accuracy, 0..1, of the classifier that scores; None with another extractor, or before it is trained."""


class Monitor:
    """Takes snapshots; reads the trials again only when the number of results has changed."""

    def __init__(self, study: OpenStudy) -> None:
        self.study = study
        self._done = -1
        self._completed: list[TrialRecord] = []
        self._accuracy: float | None = None

    def snapshot(self) -> Snapshot:
        """The study as it is now."""
        budget = self.study.slots.budget()
        if budget.done != self._done or len(self._completed) < budget.done:
            self._completed = results.completed(self.study)
            self._done = budget.done
        silent = 3 * self.study.config.service.lease_seconds
        rows = Registry(self.study.storage, self.study.uid).all()
        workers = tuple(row for row in rows if row.state not in GONE and row.quiet < silent)
        if self._accuracy is None and self.study.config.evaluation.extractor == "classifier":
            self._accuracy = SharedFiles(self.study).classifier_accuracy()
        best = self._completed[0] if self._completed else None
        return Snapshot(budget, workers, best, self._left(budget, workers), self._accuracy)

    def _left(self, budget: Budget, workers: tuple[WorkerRow, ...]) -> float | None:
        seconds = [trial.seconds for trial in self._completed if trial.seconds is not None]
        if not seconds or not workers:
            return None
        return (budget.total - budget.done) * sum(seconds) / len(seconds) / len(workers)
