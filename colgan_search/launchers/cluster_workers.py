"""Workers that a scheduler runs: seen through the study's database, and through the scheduler now and then."""

import logging
import time
from collections.abc import Callable

from colgan_search.extensions.launchers import HandedIn
from colgan_search.search.budget.workers import GONE, Registry
from colgan_search.search.database.retry import is_outage
from colgan_search.search.study.opening import OpenStudy

log = logging.getLogger(__name__)

DATABASE_SECONDS, SCHEDULER_SECONDS = 2.0, 20.0
"""Between two looks."""


class ClusterWorkers:
    """The workers of one study on a cluster. They go on without this process: `drain` and `kill` stop watching."""

    def __init__(
        self,
        study: OpenStudy,
        count: int,
        handed_in: HandedIn,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.study = study
        self.draining = False
        self.refused = False
        self.failed: list[int] = []
        self.stays = f"the workers go on without this view; `drain` of study {study.name} ends them, wherever they are"
        self._known = count
        self._handed_in = handed_in
        self._clock = clock
        self._over = False
        self._database_at = self._scheduler_at = -1e9

    @property
    def running(self) -> int:
        """As the scheduler said last."""
        return self._known

    def poll(self) -> int:
        """The number that wait or work; 0 once the study is finished, drained, or left by all of them."""
        if self.draining or self._over:
            return 0
        now = self._clock()
        if now - self._database_at >= DATABASE_SECONDS:
            self._database_at = now
            try:
                self._look_at_study()
            except Exception as error:
                if not is_outage(error):
                    raise
        if not self._over and now - self._scheduler_at >= SCHEDULER_SECONDS:
            self._scheduler_at = now
            alive = self._handed_in.alive()
            if alive is not None:
                self._known = alive
            if alive == 0:
                self._over = True
                self.failed = [] if self.study.slots.budget().finished else [0]
        return 0 if self._over else max(self._known, 1)

    def _look_at_study(self) -> None:
        budget = self.study.slots.budget()
        if budget.finished:
            self._over = True
            self._handed_in.tidy()
        elif budget.draining:
            silent = 3 * self.study.config.service.lease_seconds
            rows = Registry(self.study.storage, self.study.uid).all()
            self._over = not any(row.state not in GONE and row.quiet < silent for row in rows)

    def last_words(self, number: int) -> str:
        """What the scheduler's own files say."""
        return self._handed_in.last_words()

    def drain(self) -> None:
        """Stops watching."""
        self.draining = True

    def kill(self) -> None:
        """Stops watching."""
        self.draining = True
