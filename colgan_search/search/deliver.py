"""From an outcome to a finished trial: spooled to disk, accepted once by its slot, told to Optuna until it knows."""

import glob
import logging
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from colgan_search.files import write_text
from colgan_search.records import Outcome, Record
from colgan_search.search import outcomes
from colgan_search.search.slot_records import Claim, Closing
from colgan_search.search.study import OpenStudy

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
                log.warning("%s: not a readable result, set aside: %s", path, str(error).splitlines()[0])
                with suppress(FileNotFoundError):
                    path.replace(path.with_suffix(".unreadable"))
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
        log.info("trial %d: result accepted, max IS %.3f", result.trial_number, result.outcome.value)
        return True
    log.warning("trial %d: its slot was taken over; this result is dropped", result.trial_number)
    return False


def outcome_text(result: Spooled) -> str:
    """What the slot keeps: the outcome and who computed it."""
    return outcomes.outcome_text(result.worker, result.outcome)


def tell_closings(study: OpenStudy) -> int:
    """Tells Optuna of every slot that has ended; whoever comes first, repeated calls change nothing. The number."""
    closings = study.slots.closings()
    if not closings:
        return 0
    optuna_study = study.load()
    for closing in closings:
        try:
            trial = study.trial(optuna_study, closing.trial_number)
            if not trial.state.is_finished():
                _tell(study, optuna_study, trial, closing)
        except optuna.exceptions.UpdateFinishedTrialError:
            log.debug("trial %d: another worker told it first", closing.trial_number)
        study.slots.mark_told(closing.slot)
    return len(closings)


def _tell(study: OpenStudy, optuna_study: optuna.Study, trial: FrozenTrial, closing: Closing) -> None:
    storage = study.storage.optuna
    if closing.outcome is None:
        storage.set_trial_user_attr(trial._trial_id, "faults", list(closing.faults))
        optuna_study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        return
    where = f"study {study.name!r}: trial {trial.number}"
    worker, outcome = outcomes.outcome_of(closing.outcome, study.config.k, where)
    for key, value in attributes(outcome, worker).items():
        storage.set_trial_user_attr(trial._trial_id, key, value)
    for step, best in running_maxima(outcome).items():
        if trial.intermediate_values.get(step) != best:
            storage.set_trial_intermediate_value(trial._trial_id, step, best)
    optuna_study.tell(trial.number, outcome.value, skip_if_finished=True)


def running_maxima(outcome: Outcome) -> dict[int, float]:
    """Step (1, 2, ...: the number of the evaluation) -> the highest value so far, as pruners expect it."""
    values = (moment.scores.value for moment in outcome.history)
    return dict(enumerate(accumulate(values, max), start=1))


def attributes(outcome: Outcome, worker: str) -> dict[str, Any]:
    """The user attributes of a finished trial."""
    scores = outcome.scores
    result: dict[str, Any] = {
        "worker": worker,
        "seconds": round(outcome.seconds, 3),
        "device": outcome.device,
    }
    if scores is not None:
        result["is_mean"] = [score.is_mean for score in scores.generators]
        result["is_std"] = [score.is_std for score in scores.generators]
        result["fid"] = [score.fid for score in scores.generators]
        result["best_generator"] = f"G{scores.best_generator}"
        result["protocol"] = scores.protocol.model_dump(mode="json")
    if outcome.classifier_accuracy is not None:
        result["classifier_accuracy"] = outcome.classifier_accuracy
    if outcome.diverged is not None:
        result["diverged"] = outcome.diverged
    return result
