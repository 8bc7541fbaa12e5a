"""From an outcome to a finished trial: spooled to disk, accepted once by its slot, told to Optuna until it knows."""

import glob
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field

from colgan_search.errors import first_line
from colgan_search.file_names import UNREADABLE_SUFFIX
from colgan_search.files import write_text
from colgan_search.records import Outcome, Record
from colgan_search.search.budget.slot_records import Claim, Closing
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.study import outcomes
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.trial_attributes import CUT, SCORES

log = logging.getLogger(__name__)


class Spooled(Record):
    """A result on disk that the database has not confirmed yet."""

    uid: str
    study: str
    slot: int
    token: int
    trial_number: int
    worker: str
    outcome: Outcome
    artifacts: dict[str, str] = Field(default_factory=dict)
    """System attributes by which Optuna's dashboard finds what the trial has left; it has been written."""


class Spool:
    """The folder of results that wait to be accepted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, result: Spooled) -> Path:
        """Writes the result, whole or not at all. ValueError if it could not be read back: NaN or Inf in a score."""
        text = result.model_dump_json()
        Spooled.model_validate_json(text)
        path = self.folder / f"{result.uid}-{result.slot}-{result.token}.json"
        write_text(path, text)
        return path

    def waiting(self, uid: str) -> list[tuple[Path, Spooled]]:
        """The results of one study that wait; unreadable files are set aside with a warning."""
        found = []
        for path in sorted(self.folder.glob(f"{glob.escape(uid)}-*.json")):
            try:
                found.append((path, Spooled.model_validate_json(path.read_text(encoding="utf-8"))))
            except FileNotFoundError:
                continue  # another worker of this machine has delivered it meanwhile
            except ValueError as error:
                log.warning("%s: not a readable result, set aside: %s", path, first_line(error))
                with suppress(FileNotFoundError):
                    path.replace(path.with_suffix(UNREADABLE_SUFFIX))
        return found


def deliver_spooled(study: OpenStudy, spool: Spool) -> list[int]:
    """Offers every waiting result of this study to its slot, and forgets it then. The trials accepted."""
    accepted = []
    for path, result in spool.waiting(study.uid):
        if offer(study, result):
            accepted.append(result.trial_number)
        path.unlink(missing_ok=True)
    return accepted


def offer(study: OpenStudy, result: Spooled) -> bool:
    """Offers a result to its slot. False if the slot was taken over meanwhile."""
    claim = Claim(result.slot, result.token, result.trial_number, taken_over=False)
    if study.slots.accept(claim, outcome_text(result)):
        log.info(
            "trial %d: result accepted, %s %.3f%s",
            result.trial_number,
            study.config.objective.words,
            result.outcome.value,
            "" if result.outcome.cut is None else f" so far, pruned at epoch {result.outcome.cut.epoch}",
        )
        return True
    log.warning("trial %d: its slot was taken over; this result is dropped", result.trial_number)
    return False


def outcome_text(result: Spooled) -> str:
    """What the slot keeps: the outcome and who computed it."""
    return outcomes.outcome_text(result.worker, result.outcome, result.artifacts)


OnTold = Callable[[Closing, Outcome | None], None]
"""Hears of a trial that this process has told; the outcome is None if it has failed. Raises nothing."""


def tell_closings(study: OpenStudy, on_told: OnTold = lambda closing, outcome: None) -> int:
    """Tells Optuna of every slot that has ended; whoever comes first, repeated calls change nothing. The number."""
    closings = study.slots.closings()
    for closing in closings:
        _tell(study, closing, on_told)
    return len(closings)


def _tell(study: OpenStudy, closing: Closing, on_told: OnTold) -> None:
    """The whole result in one transaction, in which the slot also takes note of it."""
    value, reports, pruned, outcome, system = None, {}, False, None, {}
    known: dict[str, Any] = {"faults": list(closing.faults)}
    if closing.outcome is not None:
        where = f"study {study.name!r}: trial {closing.trial_number}"
        worker, outcome = outcomes.outcome_of(closing.outcome, study.config.k, where)
        value, known, reports = outcome.value, attributes(outcome, worker), running_best(outcome)
        pruned = outcome.cut is not None
        system = outcomes.artifacts_of(closing.outcome, where)
    number = closing.trial_number
    with study.storage.transaction() as db:
        optuna_study = trial_rows.study_id(db, study.name, study.uid)
        new = trial_writes.finish(db, optuna_study, number, value, known, reports, pruned=pruned, system=system)
        study.slots.mark_told(closing.slot, db)
    if new:
        on_told(closing, outcome)
    else:
        log.debug("trial %d: another worker, or a person, has ended it already", number)


def running_best(outcome: Outcome) -> dict[int, float]:
    """Step (1, 2, ...: the number of the evaluation) -> the best value so far, as pruners expect it."""
    found: dict[int, float] = {}
    for step, moment in enumerate(outcome.history, start=1):
        value = moment.scores.value
        found[step] = moment.scores.objective.best((value, found.get(step - 1, value)))
    return found


def attributes(outcome: Outcome, worker: str) -> dict[str, Any]:
    """The user attributes of a finished trial."""
    scores = outcome.scores
    result: dict[str, Any] = {
        "worker": worker,
        "seconds": round(outcome.seconds, 3),
        "device": outcome.device,
    }
    if scores is not None:
        result[SCORES] = scores.model_dump(mode="json")
        # For people at the dashboard, and for GraphSampler.
        result |= scores.arrays() | {"best_generator": f"G{scores.best_generator}"}
    if outcome.classifier_accuracy is not None:
        result["classifier_accuracy"] = outcome.classifier_accuracy
    if outcome.cut is not None:
        result[CUT] = outcome.cut.model_dump()
    if outcome.diverged is not None:
        result["diverged"] = outcome.diverged
    return result
