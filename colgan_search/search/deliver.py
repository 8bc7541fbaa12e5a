"""From an outcome to a finished trial: spooled to disk, accepted once by its slot, told to Optuna until it knows."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import Trial, TrialState

from colgan_search.files import write_text
from colgan_search.records import Outcome, Record
from colgan_search.search.slots import Claim, Closing
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
        for path in sorted(self.folder.glob(f"{uid}-*.json")):
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
        claim = Claim(result.slot, result.token, result.trial_number, taken_over=False)
        if study.slots.accept(claim, outcome_text(result)):
            accepted.append(result.trial_number)
            log.info("trial %d: result accepted, max IS %.3f", result.trial_number, result.outcome.value)
        else:
            log.warning("trial %d: its slot was taken over; this result is dropped", result.trial_number)
        path.unlink(missing_ok=True)
    return accepted


def outcome_text(result: Spooled) -> str:
    """What the slot keeps: the outcome and who computed it."""
    return json.dumps({"worker": result.worker, **result.outcome.model_dump(mode="json")}, sort_keys=True)


def tell_closings(study: OpenStudy) -> int:
    """Tells Optuna of every slot that has ended; whoever comes first, repeated calls change nothing. The number."""
    closings = study.slots.closings()
    if not closings:
        return 0
    for closing in closings:
        try:
            trial = study.running_trial(closing.trial_number)
            if trial is not None and closing.outcome is None:
                _tell_failed(trial, closing)
            elif trial is not None:
                _tell_complete(trial, json.loads(str(closing.outcome)))
        except optuna.exceptions.UpdateFinishedTrialError:
            log.debug("trial %d: another worker told it first", closing.trial_number)
        study.slots.mark_told(closing.slot)
    return len(closings)


def _tell_complete(trial: Trial, data: dict[str, Any]) -> None:
    worker = data.pop("worker")
    outcome = Outcome.model_validate(data)
    for key, value in attributes(outcome, worker).items():
        trial.set_user_attr(key, value)
    report_missing(trial, outcome)
    trial.study.tell(trial, outcome.value, skip_if_finished=True)


def _tell_failed(trial: Trial, closing: Closing) -> None:
    trial.set_user_attr("faults", list(closing.faults))
    trial.study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)


def report_missing(trial: Trial, outcome: Outcome) -> None:
    """Reports the evaluations that the database has not seen, as running maxima over steps 1, 2, ..."""
    known = trial.storage.get_trial(trial._trial_id).intermediate_values
    best = float("-inf")
    for step, moment in enumerate(outcome.history, start=1):
        best = max(best, moment.scores.value)
        if step not in known:
            trial.report(best, step)


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
    if outcome.diverged is not None:
        result["diverged"] = outcome.diverged
    return result
