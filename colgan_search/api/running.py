"""Running a study to its end with workers of this machine: for `launch`, `reproduce` and Python alike, here alone."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from colgan_search.errors import BadInput, ColganError, Interrupted
from colgan_search.extensions.launchers import Workers
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.database.retry import is_outage
from colgan_search.search.study.opening import OpenStudy

POLL_SECONDS, PARTS = 0.5, 10

GOES_ON = "the same command goes on from here"


@dataclass(frozen=True)
class Ended:
    """How the workers of this machine have ended."""

    study: str
    budget: Budget | None
    """What the study had then; None if it was drained while the database was away."""
    drained: bool
    failures: tuple[str, ...]
    """The last words of workers that ended with a failure and were not started again."""
    refused: bool
    """True if the failures are of what the user gave."""
    goes_on: str = GOES_ON
    """What a person may do after a drain."""

    @property
    def finished(self) -> bool:
        """True if the study has all its results."""
        return self.budget is not None and self.budget.finished

    def require_finished(self) -> None:
        """Interrupted if the workers were drained; BadInput or ColganError, with their last words, if they failed."""
        if self.budget is None:
            raise Interrupted(f"stopped while the database is away; {self.goes_on}")
        if self.budget.finished:
            return
        how_far = f"{self.budget.done} of {self.budget.total} trials done"
        if self.drained:
            raise Interrupted(f"stopped with {how_far}; {self.goes_on}")
        reasons = self.failures or (f"none says why; {GOES_ON}",)
        raise (BadInput if self.refused else ColganError)(
            f"study {self.study}: all workers have ended with {how_far}:\n  " + "\n  ".join(reasons)
        )


def run_to_end(study: OpenStudy, workers: Workers, look: Callable[[], None] = lambda: None) -> Ended:
    """Watches the workers, starts again those that die, and calls `look` about twice a second, until all have ended.

    Any exception meanwhile, of `look` too, drains the workers and goes on up at once.
    """
    try:
        while workers.poll():
            look()
            _pause(workers)
    except BaseException:
        workers.drain()
        raise
    failures = tuple(workers.last_words(number) for number in workers.failed)
    budget = _budget(study, workers.draining)
    drained = workers.draining or (budget is not None and budget.draining)
    goes_on = workers.stays if workers.draining and workers.stays is not None else GOES_ON
    return Ended(study.name, budget, drained, failures, workers.refused, goes_on)


def _pause(workers: Workers) -> None:
    """POLL_SECONDS, or until the last worker has ended."""
    for _ in range(PARTS):
        time.sleep(POLL_SECONDS / PARTS)
        if not workers.running:
            return


def _budget(study: OpenStudy, drained: bool) -> Budget | None:
    try:
        return study.slots.budget()
    except Exception as error:
        if drained and is_outage(error):
            return None
        raise


class BackgroundRun:
    """`run_to_end` in a thread of its own, so that any thread may wait for it and drain it."""

    def __init__(self, study: OpenStudy, workers: Workers) -> None:
        self._study = study
        self._workers = workers
        self._ended: Ended | None = None
        self._error: BaseException | None = None
        self._over = threading.Event()
        # A daemon: when the interpreter ends, the workers see their parent go, and drain.
        threading.Thread(target=self._run, name=f"study {study.name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self._ended = run_to_end(self._study, self._workers)
        except BaseException as error:
            self._error = error
        finally:
            self._over.set()

    @property
    def over(self) -> bool:
        """True when no worker runs any more."""
        return self._over.is_set()

    def drain(self) -> None:
        """Asks the workers to checkpoint and leave; returns at once."""
        self._workers.drain()

    def join(self) -> None:
        """Waits for the end, however it comes."""
        self._over.wait()

    def wait(self, look: Callable[[], None] = lambda: None) -> Ended:
        """Waits for the end, and calls `look` about twice a second.

        KeyboardInterrupt drains the workers and goes on up when they have left; a second one kills them.
        """
        try:
            self._wait(look)
        except KeyboardInterrupt:
            try:
                self.drain()
                self._wait(look)
            except KeyboardInterrupt:
                self._workers.kill()
            raise
        if self._ended is None:
            assert self._error is not None
            raise self._error
        return self._ended

    def _wait(self, look: Callable[[], None]) -> None:
        while not self._over.wait(POLL_SECONDS):
            look()
