"""Trials as plain records, and the best graph among them."""

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Annotated, Any

import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState
from pydantic import Field, TypeAdapter

from colgan_search.errors import StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Cut, Objective, Outcome, Record, Scores
from colgan_search.search import trust
from colgan_search.search.budget.slot_records import ACCEPTED, FAILING, LEASED
from colgan_search.search.database.tables import slots
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.outcomes import outcome_of
from colgan_search.search.study.trial_attributes import CUT, GRAPH, REUSED, ROLE, SCORES, SEED


class Origin(Record):
    """Where a trial that was taken over comes from."""

    study: trust.Word
    uid: trust.Word
    number: trust.Number


@dataclass(frozen=True)
class TrialRecord:
    """One trial, one line per field. Scores are None until the trial is complete."""

    number: trust.Number
    state: str
    """running, waiting (given back, to be gone on with), complete, pruned or fail."""
    value: trust.Real | None
    """Of the study's objective: the maximum IS over the generators; its worst, 1.0, if the trial diverged. None unless
    it is complete: a pruned trial has only `interim`."""
    graph: trust.GraphText | None
    scores: Scores | None
    """Of G1..Gk; None as well if the trial diverged."""
    seed: trust.Seed | None
    seconds: trust.Positive | None
    worker: trust.Word | None
    diverged: trust.Text | None
    started: str | None
    """UTC, ISO 8601: `2026-03-01T12:00:00+00:00`."""
    finished: str | None
    classifier_accuracy: Annotated[float, Field(strict=True, ge=0.0, le=1.0)] | None = None
    """Held-out accuracy, 0..1, of the classifier that scored; None with another extractor, or not recorded."""
    cut: Cut | None = None
    """Where the pruner ended it or, if it is complete, would have; None if it would not."""
    interim: trust.Real | None = None
    """Of a pruned trial, the best interim value; measured with fewer images than a final one."""

    reused_from: Origin | None = None
    """The study that trained it and its number there, if that is another one of the database."""

    role: trust.Word | None = None
    """What the run is for in a race (`racing.rules.ROLES`); None in other studies."""

    @property
    def state_words(self) -> str:
        """`complete`, `diverged`, `pruned at epoch 10`, `complete, of digits 7` (reused), ..."""
        if (origin := self.reused_from) is not None:
            return f"{'diverged' if self.diverged else self.state}, of {origin.study} {origin.number}"
        if self.state == "pruned" and self.cut is not None:
            return f"pruned at epoch {self.cut.epoch}"
        return "diverged" if self.diverged else self.state

    def run_of(self, study: str) -> tuple[str, int]:
        """The study and the number under which it was trained, for a record of `study`: where its files are."""
        return (study, self.number) if (origin := self.reused_from) is None else (origin.study, origin.number)

    @property
    def best_generator(self) -> str | None:
        """`G2`; None without scores."""
        return None if self.scores is None else f"G{self.scores.best_generator}"

    @property
    def protocol(self) -> dict[str, Any] | None:
        """How it was measured; None without scores."""
        return None if self.scores is None else self.scores.protocol.model_dump(mode="json")

    def of(self, number: str) -> tuple[float, ...] | None:
        """`is_mean`, `fid` or another number of G1..Gk; None if it is not known."""
        return None if self.scores is None else self.scores.of(number)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every field under its name, scores as one list per number; the seed as text, since many readers of
        JSON round beyond 2**53."""
        arrays = dict.fromkeys(("is_mean", "is_std", "fid")) if self.scores is None else self.scores.arrays()
        return {
            "number": self.number,
            "state": self.state,
            "value": self.value,
            "graph": self.graph,
            "best_generator": self.best_generator,
            **arrays,
            "seed": None if self.seed is None else str(self.seed),
            "seconds": self.seconds,
            "worker": self.worker,
            "diverged": self.diverged,
            "started": self.started,
            "finished": self.finished,
            "protocol": self.protocol,
            "classifier_accuracy": self.classifier_accuracy,
            "cut": None if self.cut is None else self.cut.model_dump(),
            "interim": self.interim,
            "reused_from": None if self.reused_from is None else self.reused_from.model_dump(),
            **({} if self.role is None else {"role": self.role}),
        }


RECORD, SCORES_RECORD, ORIGIN = TypeAdapter(TrialRecord), TypeAdapter(Scores), TypeAdapter(Origin)


FROM_ATTRIBUTES = (GRAPH, SEED, SCORES, CUT, REUSED, ROLE, "seconds", "worker", "diverged", "classifier_accuracy")
"""User attributes that a record is made of."""

UNFINISHED = ("running", "waiting")
"""States of a record that is not the last one yet."""


def trials(study: OpenStudy, first: int = 0) -> list[TrialRecord]:
    """All trials that were ever begun, from number `first` on, in the order of their numbers.

    StudyError if one is not as we write them, or if the study was deleted.
    """
    with study.storage.engine.connect() as db:
        which = trial_rows.from_number(trial_rows.study_id(db, study.name, study.uid), first)
        where = f"study {study.name!r}: its trials"
        found = trial_rows.read(db, which, where, FROM_ATTRIBUTES, with_params=False)
    records = [_record(study, trial) for trial in found]
    if all(record.state != "running" for record in records):
        return records
    # To Optuna a trial runs until it is told: only its slot knows whether somebody is at it.
    held = _held(study)
    return [
        replace(record, state="waiting") if record.state == "running" and record.number not in held else record
        for record in records
    ]


def _held(study: OpenStudy) -> set[int]:
    """Numbers of the trials that workers hold, or have left a result of that is not told yet."""
    at_work = slots.c.state.in_((LEASED, ACCEPTED, FAILING))
    with study.storage.engine.connect() as db:
        numbers = db.execute(sa.select(slots.c.trial_number).where(slots.c.uid == study.uid, at_work)).scalars()
        return {number for number in numbers if number is not None}


def completed(study: OpenStudy) -> list[TrialRecord]:
    """The complete trials, best first; the earlier one first among equals."""
    return best_first(trials(study), study.config.objective)


def best_first(records: list[TrialRecord], objective: Objective) -> list[TrialRecord]:
    """The complete ones of these, as `completed` has them."""
    done = [trial for trial in records if trial.state == "complete" and trial.value is not None]
    return sorted(done, key=lambda trial: (0.0 if trial.value is None else objective.rank(trial.value), trial.number))


def best(study: OpenStudy) -> TrialRecord:
    """The trial with the best value. StudyError if none is complete."""
    done = completed(study)
    if not done:
        raise StudyError(f"study {study.name!r} has no complete trial yet; `monitor` shows how far it is")
    return done[0]


def best_graph(record: TrialRecord) -> KnowledgeTransferGraph:
    """The graph of a record. StudyError if it has none."""
    if record.graph is None:
        raise StudyError(f"trial {record.number} has no graph")
    return KnowledgeTransferGraph.from_text(record.graph)


def outcome(study: OpenStudy, number: int) -> Outcome | None:
    """The whole accepted result of a trial, with its history of scores; None as long as it has none.

    Of one that was taken over it is the other study's; None as well if that was deleted since.
    """
    with study.storage.engine.connect() as db:
        where = f"study {study.name!r}: trial {number}"
        which = trial_rows.numbered(trial_rows.study_id(db, study.name, study.uid), number)
        found = trial_rows.read(db, which, where, (REUSED,), with_params=False)
        uid = study.uid
        if found and REUSED in found[0].user_attrs:
            # The slot that accepted it is the other study's, if that is still there.
            origin = trust.read(ORIGIN, found[0].user_attrs[REUSED], f"{where}: {REUSED}")
            uid, number = origin.uid, origin.number
        text = db.execute(sa.select(slots.c.outcome).where(slots.c.uid == uid, slots.c.trial_number == number)).scalar()
    return None if text is None else outcome_of(text, study.config.k, where)[1]


def _record(study: OpenStudy, trial: FrozenTrial) -> TrialRecord:
    where = f"study {study.name!r}: trial {trial.number}"
    attributes = trial.user_attrs
    if (scores := attributes.get(SCORES)) is not None:
        scores = read_scores(study, scores, f"{where}: {SCORES}")
    fields = {name: attributes.get(name) for name in FROM_ATTRIBUTES} | {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "interim": trial.value if trial.state == TrialState.PRUNED else None,
        "scores": scores,
        "started": _utc(trial.datetime_start),
        "finished": _utc(trial.datetime_complete),
    }
    return trust.read(RECORD, fields, where)


def _utc(moment: datetime | None) -> str | None:
    """A time as workers write it: UTC, which Optuna's tables do not say."""
    return None if moment is None else moment.replace(tzinfo=timezone.utc).isoformat(timespec="seconds")


def read_scores(study: OpenStudy, data: Any, where: str) -> Scores:
    """Scores out of the database. StudyError if they are not of this study's generators and objective."""
    scores = trust.read(SCORES_RECORD, data, where)
    trust.require_length(scores.generators, study.config.k, f"{where}: generators")
    if scores.objective != study.config.objective:
        raise StudyError(
            f"{where}: their objective is not the study's, {study.config.objective.words}; {trust.CHANGED}"
        )
    return scores
