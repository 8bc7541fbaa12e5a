"""Keeps a worker's lease while it trains: a thread that renews through outages, reports, and watches for a hang."""

import logging
import os
import threading
import time

from optuna.trial import Trial, TrialState

from colgan_search.records import Progress
from colgan_search.search.propose import Assignment
from colgan_search.search.registry import Registry
from colgan_search.search.retry import is_outage, one_line
from colgan_search.search.study import OpenStudy

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
"""The live view is at most so old."""

HUNG_EXIT_CODE = os.EX_TEMPFAIL


class Keeper:
    """A context in which one assignment's lease is renewed from a thread of its own.

    `lost` is set when another worker has taken the slot over. The training thread only leaves its progress here:
    it never waits for the database.
    """

    def __init__(self, study: OpenStudy, assignment: Assignment, worker: str) -> None:
        self.study = study
        self.assignment = assignment
        self.worker = worker
        self.lost = threading.Event()
        self._ended = threading.Event()
        self._progress: Progress | None = None
        self._scored: list[Progress] = []
        self._moved = time.monotonic()
        self._best = float("-inf")
        self._last_is: float | None = None
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=5.0)

    def on_progress(self, progress: Progress) -> None:
        """Takes note of the training's progress; quick, and never fails."""
        self._moved = time.monotonic()
        if progress.scores is not None:
            self._scored.append(progress)
        self._progress = progress

    def alive(self) -> None:
        """Takes note that the training moves on, where there is nothing else to say."""
        self._moved = time.monotonic()

    def _run(self) -> None:
        service = self.study.config.service
        renewed = time.monotonic()
        shown: Progress | None = None
        while not self._ended.wait(min(REPORT_SECONDS, service.lease_seconds / 4)):
            self._stop_if_hung()
            try:
                if time.monotonic() - renewed >= service.lease_seconds / 4:
                    if not self.study.slots.renew(self.assignment.claim, service.lease_seconds):
                        log.warning("trial %d: lease lost, another worker has it", self.assignment.trial_number)
                        self.lost.set()
                        return
                    renewed = time.monotonic()
                if self._progress is not shown:
                    shown = self._progress
                    self._show(shown)
                while self._scored:
                    self._report(self._scored[0])
                    self._scored.pop(0)
            except Exception as error:
                # Other errors (a deleted study, say) meet the training thread when it delivers.
                what = "database away" if is_outage(error) else "lease not renewed"
                log.warning("%s, the training goes on: %s", what, one_line(error))

    def _show(self, progress: Progress | None) -> None:
        if progress is None:
            return
        if self._scored and self._scored[-1].scores is not None:
            self._last_is = self._scored[-1].scores.value
        Registry(self.study.storage, self.study.uid).update(
            self.worker,
            "training",
            self.assignment.trial_number,
            progress.epoch,
            progress.epochs,
            self._last_is,
        )

    def _report(self, progress: Progress) -> None:
        """Reports an evaluation to Optuna as a running maximum; what is missed is told with the result."""
        if progress.scores is None or progress.evaluation is None:
            return
        self._best = max(self._best, progress.scores.value)
        optuna_study = self.study.load()
        for trial in optuna_study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            steps = trial.intermediate_values
            if trial.number == self.assignment.trial_number and progress.evaluation not in steps:
                Trial(optuna_study, trial._trial_id).report(self._best, progress.evaluation)

    def _stop_if_hung(self) -> None:
        """A training thread that is stuck cannot stop itself: give the slot back and end the process."""
        limit = self.study.config.service.hang_minutes * 60.0
        if time.monotonic() - self._moved < limit:
            return
        reason = f"no progress for {limit:.0f} s"
        log.error("trial %d: %s; the slot is given back and this worker ends", self.assignment.trial_number, reason)
        try:
            self.study.slots.release(self.assignment.claim, reason, self.study.config.service.max_faults)
        except Exception as error:
            log.error("could not give the slot back (its lease will run out): %s", one_line(error))
        os._exit(HUNG_EXIT_CODE)
