"""Keeps a worker's lease while it trains: a thread that renews through outages, reports, and watches for a hang."""

import logging
import math
import os
import threading
import time

from colgan_search.records import Cut, Progress
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.budget.workers import Registry, WorkerState
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.search.delivering.pruning import Judge, finishes_anyway
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import ask_lock
from colgan_search.search.proposing.propose import Assignment
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)

REPORT_SECONDS = 1.0
"""The live view of a small study is at most so old."""

SHOWN_A_SECOND = 20.0
"""So many workers of a study say each second how far they are, at most; else that of a thousand were most of what the
database is asked (docs/clusters.md)."""

JOIN_SECONDS = 5.0
"""Waited for the thread at the end of a claim, should the database not answer it."""

LEAVE_SECONDS = 10.0
"""After a drain, for a sampler that looks at none and may take minutes; what it would have proposed is lost."""

HUNG_EXIT_CODE = os.EX_TEMPFAIL


class Keeper:
    """A context in which one claim's lease is renewed from a thread of its own.

    `lost` is set when another worker has taken the slot over, and `cut` when the pruner ends the trial. The training
    thread only leaves its progress here: it never waits for the database. A `drain` before the training begins ends
    the process after `LEAVE_SECONDS`.
    """

    def __init__(self, study: OpenStudy, claim: Claim, worker: str, drain: threading.Event) -> None:
        self.study = study
        self.claim = claim
        self.worker = worker
        self.drain = drain
        self._drained: float | None = None
        self.lost = threading.Event()
        self.cut: Cut | None = None
        self._judge = Judge(study) if study.config.pruning.on else None
        self._assignment: Assignment | None = None
        self._ended = threading.Event()
        self._trial_number: int | None = None
        self._delivering = False
        self._moved: float | None = None
        self._progress: Progress | None = None
        self._scored: list[Progress] = []
        self._last_is: float | None = None
        self._furthest = 0
        self._renewed = time.monotonic()
        self._shown_at = self._counted_at = -math.inf
        self._show_seconds = 0.0
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)

    def __enter__(self) -> "Keeper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=JOIN_SECONDS)

    def training_begins(self, assignment: Assignment) -> None:
        """From now on a time without progress is a hang. A cut that was decided before still holds."""
        self._assignment = assignment
        self._trial_number = assignment.trial_number
        if assignment.cut is not None:
            self._heed(assignment.cut)
        self._moved = time.monotonic()

    def training_ends(self) -> None:
        """From now on waiting is no hang: the database may be away for long while the result is delivered."""
        self._moved = None
        self._delivering = True  # an accepted slot has no lease either

    def on_progress(self, progress: Progress) -> None:
        """Takes note of the training's progress; quick, and never fails."""
        self.alive()
        if progress.scores is not None:
            self._scored.append(progress)
        self._progress = progress

    def alive(self) -> None:
        """Takes note that the training moves on, where there is nothing else to say."""
        if self._moved is not None:
            self._moved = time.monotonic()

    def _run(self) -> None:
        shown: Progress | None = None
        failing = False
        while not self._ended.wait(min(REPORT_SECONDS, self.study.config.service.lease_seconds / 8)):
            self._stop_if_hung()
            self._leave_if_drained()
            if self.lost.is_set():
                continue
            try:
                renewed = self._renew_if_due()
                if renewed or (self._progress is not shown and self._show_due()):
                    shown, self._shown_at = self._progress, time.monotonic()
                    self._show(shown)
                while self._scored and not self.lost.is_set():
                    self._report(self._scored[0])
                    self._scored.pop(0)
                if failing:
                    log.info("the database answers again")
                failing = False
            except Exception as error:
                # Other errors (a deleted study, say) meet the training thread when it delivers.
                if not failing:
                    what = "database away" if is_outage(error) else "lease not renewed"
                    log.warning("%s, the training goes on: %s", what, one_line(error))
                failing = True
        self.study.storage.forget_thread()

    def _renew_if_due(self) -> bool:
        lease = self.study.config.service.lease_seconds
        if time.monotonic() - self._renewed < lease / 4:
            return False
        if not self.study.slots.renew(self.claim, lease, self._drain_all) and not self._delivering:
            log.warning("slot %d: lease lost, another worker has it", self.claim.slot)
            self.lost.set()
        self._renewed = time.monotonic()
        return True

    def _show_due(self) -> bool:
        """How many train beside this worker is counted once a lease."""
        if time.monotonic() - self._counted_at >= self.study.config.service.lease_seconds:
            self._show_seconds = self.study.slots.leased() / SHOWN_A_SECOND
            self._counted_at = time.monotonic()
        return time.monotonic() - self._shown_at >= self._show_seconds

    def _drain_all(self) -> None:
        if not self.drain.is_set():
            log.info("the study's workers are asked to drain")
            self.drain.set()

    def _show(self, progress: Progress | None) -> None:
        if self._scored and self._scored[-1].scores is not None:
            self._last_is = self._scored[-1].scores.value
        epoch, epochs = (progress.epoch, progress.epochs) if progress is not None else (None, None)
        if epoch is not None and epoch > self._furthest:
            if self.claim.token > 1:  # else nobody had it before, to vanish over it
                self.study.slots.forgive(self.claim, epoch)
            self._furthest = epoch
        Registry(self.study.storage, self.study.uid).update(
            self.worker, WorkerState.TRAINING, self._trial_number, epoch, epochs, self._last_is
        )

    def _report(self, progress: Progress) -> None:
        """Reports an evaluation to Optuna as the running best; what is missed is told with the result."""
        if progress.scores is None or progress.evaluation is None or self._trial_number is None or self.cut is not None:
            return
        judge = self._judge if progress.epoch < progress.epochs and not self._delivering else None
        if judge is not None:
            judge.look(self._trial_number)
        cut = None
        with self.study.storage.transaction() as db:
            study = trial_rows.study_id(db, self.study.name, self.study.uid)
            scores = progress.scores
            step, number = progress.evaluation, self._trial_number
            new = trial_writes.report(db, study, number, step, scores.value, scores.objective)
            if judge is not None and self._assignment is not None:
                cut = judge.judged(db, study, number, self._assignment.graph, progress, new)
        if cut is not None:
            self._heed(cut)

    def _heed(self, cut: Cut) -> None:
        """The pruner has spoken, which it does once: the trial ends there, or is finished all the same."""
        self._judge = None
        assert self._assignment is not None
        if finishes_anyway(self._assignment.seed, self.study.config.pruning):
            log.info("trial %d would be pruned at epoch %d; it is finished all the same", self._trial_number, cut.epoch)
        else:
            self.cut = cut

    def _stop_if_hung(self) -> None:
        """A training thread that is stuck cannot stop itself: give the slot back and end the process."""
        limit = self.study.config.service.hang_minutes * 60.0
        moved = self._moved
        if moved is None or time.monotonic() - moved < limit or self._ended.is_set():
            return
        reason = f"no progress for {limit:.0f} s"
        log.error("slot %d: %s; it is given back and this worker ends", self.claim.slot, reason)
        try:
            self.study.slots.release(self.claim, reason, self.study.config.service.max_faults)
        except Exception as error:
            log.error("could not give the slot back (its lease will run out): %s", one_line(error))
        os._exit(HUNG_EXIT_CODE)

    def _leave_if_drained(self) -> None:
        """A sampler cannot be interrupted: give the lock and the slot back and end the process in its middle."""
        if self._trial_number is not None or not self.drain.is_set():
            return
        self._drained = self._drained or time.monotonic()
        if time.monotonic() - self._drained < LEAVE_SECONDS or self._ended.is_set():
            return
        log.warning("slot %d: drained while its graph is proposed; it is given back", self.claim.slot)
        try:
            ask_lock.free(self.study, self.worker)
            self.study.slots.release(self.claim)
            Registry(self.study.storage, self.study.uid).update(self.worker, WorkerState.LEFT)
        except Exception as error:
            log.warning("could not give the slot back (its lease will run out): %s", one_line(error))
        os._exit(0)
