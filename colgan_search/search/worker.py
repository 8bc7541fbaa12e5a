"""A worker: claim a slot, run its trial, tell the result, until the study has all its results. The one page to read."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from colgan_search import logs
from colgan_search.errors import (
    BadInput,
    ColganError,
    DiskFull,
    GpuFull,
    Interrupted,
    LeaseLost,
    Outage,
    OutOfMemory,
    Pruned,
    StorageError,
    StudyError,
    TrialFault,
)
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import OnProgress, Outcome, ShouldStop
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.budget.workers import ProcessId, Registry, WorkerState
from colgan_search.search.care.dead_workers import release_dead
from colgan_search.search.care.idle import Idle
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database.retry import SQLITE_DISK, one_line, through_outages
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.keeper import Keeper
from colgan_search.search.proposing.propose import Assignment, Proposer
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)
T = TypeVar("T")

FAULT_PAUSE_SECONDS = 1.0
"""After a fault, times the faults in a row: what was short may be back, and another worker may take the slot."""

Experiment = Callable[[KnowledgeTransferGraph, int, Path, OnProgress, ShouldStop], Outcome]
"""(graph, seed, run folder, on_progress, should_stop) -> Outcome. Raises Interrupted when it was asked to stop.

`should_stop` raises Pruned to end the training with what it has scored so far; see `experiment.Experiment`.
"""


@dataclass(frozen=True)
class Worked:
    """What a worker did before it left."""

    accepted: int
    finished: bool
    """True if the study has all its results; False if the worker was drained."""


class Worker:
    """One worker process of a study. `drain` makes it checkpoint, give its slot back and leave."""

    def __init__(
        self,
        study: OpenStudy,
        experiment: Experiment,
        work: WorkFolder,
        device: str,
        drain: threading.Event,
        on_accepted: Callable[[int], None] = lambda number: None,
        showcase: Showcase | None = None,
        *,
        shares_gpu: bool = False,
    ) -> None:
        """`shares_gpu`: others work on its GPU, and go on if it leaves them its memory (GpuFull)."""
        self.study = study
        self.experiment = experiment
        self.work = work
        self.device = device
        self.drain, self.on_accepted = drain, on_accepted
        self.showcase = showcase or Showcase(study)
        self.shares_gpu = shares_gpu
        self.process = ProcessId.mine()
        self.name = self.process.name
        self.registry = Registry(study.storage, study.uid)
        self.proposer = Proposer(study, self.name, drain)
        self.spool = deliver.Spool(work.spool(study.name))
        self.accepted = 0
        self._training = False
        self._reachable = True

    def run(self) -> Worked:
        """Works until the study is finished or `drain` is set.

        Raises StudyError if the study is deleted, StorageError if its tables are gone or closed to us, Outage if the
        database stays away, GpuFull if it shares its GPU and that has too little memory for it, and ColganError after
        `max_faults` faults in a row.
        """
        try:
            self._through_outages(lambda: self.registry.enter(self.process, self.device), "entering")
            # Before their slots are given to others: what dead workers of this work folder had finished.
            self._deliver()
            self._through_outages(lambda: release_dead(self.study), "looking for dead workers")
            return self._work()
        except Outage as outage:
            if not self.drain.is_set():
                raise
            log.warning("left without the database; the lease runs out, results wait in the spool: %s", outage)
            self._reachable = False
            return Worked(self.accepted, finished=False)
        except KeyError:
            self.study.load()  # StudyError if the trials are gone because the study is
            raise
        except sa.exc.DBAPIError as error:
            if any(sign in str(error.orig) for sign in SQLITE_DISK):
                self._reachable = False
                where = f"{self.study.storage.name}: {one_line(error)}"
                raise DiskFull(f"{where}; free some space on its disk, the lease runs out meanwhile") from error
            raise StorageError(f"{self.study.storage.name}: {one_line(error)}") from error
        finally:
            if self._reachable:  # another wait for the database would make a drain too long
                self._say_quietly(WorkerState.LEFT)

    def _work(self) -> Worked:
        faults = 0
        idle = Idle(self.study.config.service.lease_seconds / 4)
        while not self.drain.is_set():
            logs.set_trial(None)
            self._deliver()
            self.showcase.refresh(self.drain)
            self._through_outages(self.proposer.end_early, "looking whether the study is decided")
            claim = self._through_outages(self._claim, "asking for a slot")
            if claim is None:
                budget = self._through_outages(self.study.slots.budget, "counting")
                if budget.finished:
                    self._deliver()  # what a worker that is dead by now had accepted, but not told
                    return Worked(self.accepted, finished=True)
                if budget.draining:
                    self.drain.set()
                    continue
                self._say_quietly(WorkerState.WAITING)
                self.drain.wait(idle.pause(budget))
                continue
            try:
                self._run_claim(claim)
                faults = 0
            except LeaseLost as lost:
                self._give_back(claim, str(lost))
            except Interrupted:
                self._give_back(claim, "asked to stop")
            except (Outage, StudyError):
                raise
            except Exception as error:
                faults += 1
                # StudyError if it is deleted, or holds what cannot be read: that is no fault of the trial's.
                self._through_outages(self.study.trials, "looking for the study")
                self._fault(claim, error)
                if self.shares_gpu and isinstance(error, OutOfMemory):
                    raise GpuFull(
                        f"{self.device} is full: this worker takes no more trials; {one_line(error)}"
                    ) from error
                if faults >= self.study.config.service.max_faults:
                    raise ColganError(
                        f"{faults} faults in a row, this worker stops; the last was: {one_line(error)}"
                    ) from error
                self.drain.wait(faults * FAULT_PAUSE_SECONDS)
        return Worked(self.accepted, finished=False)

    def _claim(self) -> Claim | None:
        service = self.study.config.service
        return self.study.slots.claim(self.name, service.lease_seconds, service.max_vanished)

    def _run_claim(self, claim: Claim) -> None:
        """One trial: its graph, its training, its result on disk and then in the database."""
        self._training = False
        with Keeper(self.study, claim, self.name, self.drain) as keeper:
            assignment = self._through_outages(lambda: self.proposer.assign(claim), "asking for a graph")
            how = "taken over" if claim.taken_over else "continued" if claim.trial_number is not None else "begun"
            logs.set_trial(assignment.trial_number)
            log.info("trial %d %s: %s", assignment.trial_number, how, assignment.graph.to_text())
            self._say_quietly(WorkerState.TRAINING, assignment.trial_number)
            folder = self.work.run(self.study.name, assignment.trial_number)

            def should_stop() -> bool:
                keeper.alive()
                if self.drain.is_set() or keeper.lost.is_set():
                    return True
                if keeper.cut is not None:
                    raise Pruned(keeper.cut.evaluation)
                return False

            self._training = True
            keeper.training_begins(assignment)
            try:
                outcome = self.experiment(assignment.graph, assignment.seed, folder, keeper.on_progress, should_stop)
            except Interrupted:
                if keeper.lost.is_set():
                    raise LeaseLost(f"trial {assignment.trial_number}: another worker has it; dropped") from None
                raise
            finally:
                keeper.training_ends()
            # Before anybody else may deliver the result; what fails here fails alone.
            artifacts = self.showcase.keep(assignment.trial_number, outcome, folder)
            self._spool(assignment, outcome, artifacts)
            self._training = False
            # Inside the keeper: while the database is away the lease is renewed as soon as it is back.
            self._deliver()

    def _spool(self, assignment: Assignment, outcome: Outcome, artifacts: dict[str, str]) -> None:
        result = deliver.Spooled(
            uid=self.study.uid,
            study=self.study.name,
            slot=assignment.claim.slot,
            token=assignment.claim.token,
            trial_number=assignment.trial_number,
            worker=self.name,
            outcome=outcome,
            artifacts=artifacts,
        )
        try:
            self.spool.put(result)
        except DiskFull as full:
            log.warning("%s; the result is offered from memory", full)
            if not self._through_outages(lambda: deliver.offer(self.study, result), "delivering"):
                return
            self.accepted += 1
            self._tidy(result.trial_number)

    def _deliver(self) -> None:
        """Offers what is spooled here, whoever computed it; then tells Optuna what anybody left untold."""
        accepted = self._through_outages(lambda: deliver.deliver_spooled(self.study, self.spool), "delivering")
        self._through_outages(lambda: deliver.tell_closings(self.study, self.showcase.told), "telling results")
        self.accepted += len(accepted)
        for number in accepted:
            self._tidy(number)

    def _tidy(self, number: int) -> None:
        """What follows an accepted result must not take it back."""
        try:
            self._through_outages(partial(self.on_accepted, number), "tidying up")
        except OSError as error:
            log.warning("not tidied up after trial %d: %s", number, one_line(error))

    def _give_back(self, claim: Claim, reason: str) -> None:
        self._through_outages(lambda: self.study.slots.release(claim), "giving the slot back")
        log.info("slot %d given back: %s", claim.slot, reason)

    def _fault(self, claim: Claim, error: Exception) -> None:
        reason = f"{type(error).__name__}: {one_line(error)}"
        log.error(
            "slot %d given back after a fault: %s",
            claim.slot,
            reason,
            exc_info=not isinstance(error, TrialFault),
        )
        # A full disk or GPU or a missing file is this machine's fault, and what fails before or after the training is
        # the service's: neither speaks against the graph.
        full = isinstance(error, OutOfMemory) and self.device.startswith("cuda")
        graph = self._training and not full and not isinstance(error, (DiskFull, BadInput))
        limit = self.study.config.service.max_faults if graph else None
        self._through_outages(lambda: self.study.slots.release(claim, reason, limit), "giving the slot back")
        self._say_quietly(WorkerState.FAULTED)

    def _say_quietly(self, state: WorkerState, trial_number: int | None = None) -> None:
        """Updates the live view; an outage is no reason to stop for it."""
        try:
            self.registry.update(self.name, state, trial_number)
        except Exception as error:
            log.debug("live view not updated: %s", one_line(error))

    def _through_outages(self, call: Callable[[], T], what: str) -> T:
        limit = self.study.config.service.outage_minutes * 60.0
        return through_outages(call, what, limit_seconds=limit, give_up=self.drain)
