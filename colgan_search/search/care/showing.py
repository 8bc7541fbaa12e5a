"""What a worker shows at the dashboard, beside results: best effort, and never a reason to lose one."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from colgan_search.records import Outcome
from colgan_search.search.artifacts.keeping import Picture, keep
from colgan_search.search.budget.slot_records import Closing
from colgan_search.search.care.overview import refresh
from colgan_search.search.care.trial_notes import note_trial
from colgan_search.search.database.retry import one_line
from colgan_search.search.study.opening import OpenStudy

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore

log = logging.getLogger(__name__)

SHARE = 200.0
"""So many times as long as it took, the study's page is left as it is: a worker spends 0.5 % of its time on it."""
DRAIN_POLL_SECONDS = 0.2

Draw = Callable[[int, Outcome, Path], Sequence[Picture]]
"""(number of the trial, its outcome, its run folder) -> its pictures."""


class Showcase:
    """Pictures, notes and plots of one worker's study. What fails is logged once per kind, and passed over.

    Without `draw` nothing is shown at all, and without a store no pictures.
    """

    def __init__(self, study: OpenStudy, store: "ArtifactStore | None" = None, draw: Draw | None = None) -> None:
        self.study = study
        self._store = store
        self._draw = draw
        self._troubles: set[str] = set()
        self._told = False
        self._next_page = 0.0

    def keep(self, number: int, outcome: Outcome, folder: Path) -> dict[str, str]:
        """Draws the pictures of a trial that has ended and writes them. The system attributes that name them, which
        travel with the result: whoever tells it, tells them too. Empty if there are none."""
        found: dict[str, str] = {}

        def kept() -> None:
            if self._draw is not None and self._store is not None:
                value = None if outcome.cut is not None else outcome.value
                found.update(keep(self.study, self._store, number, value, self._draw(number, outcome, folder)))

        self._try(kept, "pictures for the dashboard not kept")
        return found

    def told(self, closing: Closing, outcome: Outcome | None) -> None:
        """A trial has been told, by this worker: notes a leader or a failure."""
        self._told = self._draw is not None
        if self._told:
            self._try(lambda: note_trial(self.study, closing, outcome), "note on a trial not written")

    def refresh(self, drain: threading.Event) -> None:
        """Between trials: makes the study's note and plots again if they are due. Returns at once when drained."""
        if not self._told:
            return
        self._told = False
        began = time.monotonic()

        def made() -> None:
            self._try(
                lambda: refresh(self.study, at_the_end_alone=began < self._next_page),
                "the study's note and plots not written",
            )
            self.study.storage.forget_thread()

        # The model does not hear of a drain; what is half made is not written.
        thread = threading.Thread(target=made, name="page", daemon=True)
        thread.start()
        while thread.is_alive() and not drain.is_set():
            thread.join(DRAIN_POLL_SECONDS)
        ended = time.monotonic()
        self._next_page = max(self._next_page, ended + SHARE * (ended - began))

    def _try(self, what: Callable[[], object], failed: str) -> None:
        try:
            what()
        except Exception as error:
            kind = f"{failed}: {type(error).__name__}"
            if kind not in self._troubles:
                self._troubles.add(kind)
                log.warning("%s (said once; results are not touched): %s", failed, one_line(error))
