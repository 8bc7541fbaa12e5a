"""Trials as plain records, and the best graph among them."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState

from colgan_search.errors import StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Outcome
from colgan_search.search.propose import GRAPH, SEED
from colgan_search.search.study import OpenStudy
from colgan_search.search.tables import slots


@dataclass(frozen=True)
class TrialRecord:
    """One trial, one line per field. Scores are None until the trial is complete."""

    number: int
    state: str
    """running, complete or fail."""
    value: float | None
    """Maximum IS over the generators; 1.0 if the trial diverged."""
    graph: str | None
    best_generator: str | None
    is_mean: tuple[float, ...] | None
    """Of G1..Gk."""
    is_std: tuple[float, ...] | None
    """Over the splits of one scoring, not over training seeds."""
    fid: tuple[float | None, ...] | None
    seed: int | None
    seconds: float | None
    worker: str | None
    diverged: str | None
    started: str | None
    """UTC is not recorded by Optuna: local time of the worker that began it, ISO 8601."""
    finished: str | None
    protocol: dict[str, Any] | None
    classifier_accuracy: float | None = None
    """Held-out accuracy, 0..1, of the classifier that scored; None with another extractor, or not recorded."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every field under its name."""
        return asdict(self)

    def as_row(self) -> dict[str, str]:
        """For CSV: every field as text; lists as JSON, None as nothing."""
        return {
            key: "" if value is None else value if isinstance(value, str) else json.dumps(value)
            for key, value in self.as_dict().items()
        }


def trials(study: OpenStudy) -> list[TrialRecord]:
    """All trials that were ever begun, in the order of their numbers."""
    return [_record(trial) for trial in study.load().get_trials(deepcopy=False)]


def completed(study: OpenStudy) -> list[TrialRecord]:
    """The complete trials, best first; the earlier one first among equals."""
    done = [trial for trial in trials(study) if trial.state == "complete" and trial.value is not None]
    return sorted(done, key=lambda trial: (-(trial.value or 0.0), trial.number))


def best(study: OpenStudy) -> TrialRecord:
    """The trial with the highest value. StudyError if none is complete."""
    done = completed(study)
    if not done:
        raise StudyError(f"study {study.name!r} has no complete trial yet; `colgan-search status` shows how far it is")
    return done[0]


def best_graph(record: TrialRecord) -> KnowledgeTransferGraph:
    """The graph of a record. StudyError if it has none."""
    if record.graph is None:
        raise StudyError(f"trial {record.number} has no graph")
    return KnowledgeTransferGraph.from_text(record.graph)


def outcome(study: OpenStudy, number: int) -> Outcome | None:
    """The whole accepted result of a trial, with its history of scores; None as long as it has none."""
    with study.storage.engine.connect() as db:
        text = db.execute(
            sa.select(slots.c.outcome).where(slots.c.uid == study.uid, slots.c.trial_number == number)
        ).scalar()
    if text is None:
        return None
    data = json.loads(text)
    del data["worker"]
    return Outcome.model_validate(data)


def _record(trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    done = trial.state == TrialState.COMPLETE

    def numbers(key: str) -> tuple[Any, ...] | None:
        return tuple(attributes[key]) if key in attributes else None

    return TrialRecord(
        number=trial.number,
        state=trial.state.name.lower(),
        value=trial.value if done else None,
        graph=attributes.get(GRAPH),
        best_generator=attributes.get("best_generator"),
        is_mean=numbers("is_mean"),
        is_std=numbers("is_std"),
        fid=numbers("fid"),
        seed=attributes.get(SEED),
        seconds=attributes.get("seconds"),
        worker=attributes.get("worker"),
        diverged=attributes.get("diverged"),
        started=trial.datetime_start.isoformat(timespec="seconds") if trial.datetime_start else None,
        finished=trial.datetime_complete.isoformat(timespec="seconds") if trial.datetime_complete else None,
        protocol=attributes.get("protocol"),
        classifier_accuracy=attributes.get("classifier_accuracy"),
    )
