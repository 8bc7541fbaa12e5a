"""Optuna's own tables, read and written a whole trial at a time. The only place that knows them.

Optuna's storage makes a transaction of every parameter and every attribute, and parses each distribution anew for every
trial it reads: 300 statements a trial, and 17 s to read 15,000 trials. Optuna refuses tables of another version than
its own (`Storage.check_optuna_tables`), so these are as its models say.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.dialects import postgresql, sqlite

from colgan_search.errors import StudyError

studies = cast(sa.Table, models.StudyModel.__table__)
study_attributes = cast(sa.Table, models.StudyUserAttributeModel.__table__)
trials = cast(sa.Table, models.TrialModel.__table__)
params = cast(sa.Table, models.TrialParamModel.__table__)
values = cast(sa.Table, models.TrialValueModel.__table__)
steps = cast(sa.Table, models.TrialIntermediateValueModel.__table__)
user_attributes = cast(sa.Table, models.TrialUserAttributeModel.__table__)
system_attributes = cast(sa.Table, models.TrialSystemAttributeModel.__table__)

UNFINISHED = (TrialState.RUNNING, TrialState.WAITING)

AT_ONCE = 500
"""Numbers in one statement: an SQLite of before 2020 takes a thousand."""


def study_id(db: sa.Connection, name: str, uid: str, *, lock: bool = False) -> int:
    """The id of the Optuna study `name` whose attribute `uid` is this one; with `lock`, nobody else adds trials to it
    until the transaction ends. StudyError if it is not there (any more)."""
    ours = (study_attributes.c.key == "uid") & (study_attributes.c.value_json == json.dumps(uid))
    found = sa.select(studies.c.study_id).join(study_attributes).where(studies.c.study_name == name, ours)
    number = db.execute(found.with_for_update(of=studies) if lock else found).scalar()
    if number is None:
        raise StudyError(f"study {name!r} was deleted while it was in use")
    return int(number)


def newer(study: int, after: int, again: Collection[int]) -> sa.ColumnElement[bool]:
    """The study's trials with ids above `after`, and those of the ids `again`."""
    return (trials.c.study_id == study) & ((trials.c.trial_id > after) | trials.c.trial_id.in_(again))


def numbered(study: int, *numbers: int) -> sa.ColumnElement[bool]:
    """The study's trials of these numbers."""
    return (trials.c.study_id == study) & trials.c.number.in_(numbers)


def read(db: sa.Connection, which: sa.ColumnElement[bool], attributes: Sequence[str] = ()) -> list[FrozenTrial]:
    """Trials in the order of their numbers, without times; of their user attributes only those named.

    A parameter whose distribution cannot be read is left out: such a trial is not one of ours.
    """
    columns = trials.c.trial_id, trials.c.number, trials.c.state, values.c.value, values.c.value_type
    rows = db.execute(_with_value(*columns).where(which)).all()
    if not rows:
        return []
    chosen: dict[int, dict[str, Any]] = defaultdict(dict)
    spaces: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for trial, name, number, text in db.execute(
        sa.select(params.c.trial_id, params.c.param_name, params.c.param_value, params.c.distribution_json)
        .join(trials, trials.c.trial_id == params.c.trial_id)
        .where(which)
        .order_by(params.c.param_id)
    ):
        if (known := _parameter(text, number)) is not None:
            spaces[trial][name], chosen[trial][name] = known
    system = _attributes(db, system_attributes, which)
    user = _attributes(db, user_attributes, which & user_attributes.c.key.in_(attributes)) if attributes else {}
    return [
        FrozenTrial(
            number=row.number,
            trial_id=row.trial_id,
            state=row.state,
            value=None if row.value_type is None else _value(row.value, row.value_type),
            datetime_start=None,
            datetime_complete=None,
            params=chosen[row.trial_id],
            distributions=spaces[row.trial_id],
            user_attrs=user.get(row.trial_id, {}),
            system_attrs=system.get(row.trial_id, {}),
            intermediate_values={},
        )
        for row in sorted(rows, key=lambda row: row.number)
    ]


@dataclass(frozen=True)
class Ended:
    """A trial that is complete, with its value, or has failed, without one."""

    number: int
    value: float | None


def ended(db: sa.Connection, study: int, numbers: Sequence[int]) -> list[Ended]:
    """Those of these trials that have ended."""
    found = []
    for first in range(0, len(numbers), AT_ONCE):
        which = numbered(study, *numbers[first : first + AT_ONCE]) & trials.c.state.not_in(UNFINISHED)
        rows = db.execute(
            _with_value(trials.c.number, trials.c.state, values.c.value, values.c.value_type).where(which)
        )
        for row in rows:
            complete = row.state == TrialState.COMPLETE and row.value_type is not None
            found.append(Ended(row.number, _value(row.value, row.value_type) if complete else None))
    return found


def _with_value(*columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    value = (values.c.trial_id == trials.c.trial_id) & (values.c.objective == 0)
    return sa.select(*columns).select_from(trials.outerjoin(values, value))


def _attributes(db: sa.Connection, table: sa.Table, which: sa.ColumnElement[bool]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    rows = sa.select(table.c.trial_id, table.c.key, table.c.value_json)
    for trial, key, text in db.execute(rows.join(trials, trials.c.trial_id == table.c.trial_id).where(which)):
        found[trial][key] = json.loads(text)
    return found


@lru_cache(maxsize=4096)
def _parameter(text: str, number: float) -> tuple[BaseDistribution, Any] | None:
    """A parameter's distribution and value; None if they are none that Optuna can have written."""
    try:
        distribution = _distribution(text)
        return distribution, distribution.to_external_repr(number)
    except (ValueError, KeyError, TypeError, IndexError):
        return None


@lru_cache(maxsize=1024)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)


def _value(value: float | None, kind: Any) -> float:
    return models.TrialValueModel.stored_repr_to_value(value, kind)


def count(db: sa.Connection, study: int) -> int:
    """The number of the study's trials, which is also the number of its next one."""
    return int(db.execute(sa.select(sa.func.count()).where(trials.c.study_id == study)).scalar_one())


def insert(db: sa.Connection, study: int, number: int) -> int:
    """A new running trial with nothing in it; its id."""
    row = trials.insert().values(study_id=study, number=number, state=TrialState.RUNNING, datetime_start=utc())
    key = db.execute(row).inserted_primary_key
    assert key is not None
    return int(key[0])


def start(db: sa.Connection, trial: int) -> bool:
    """A waiting trial becomes a running one. False if another process was quicker."""
    waits = (trials.c.trial_id == trial) & (trials.c.state == TrialState.WAITING)
    changes = {"state": TrialState.RUNNING, "datetime_start": utc()}
    return db.execute(trials.update().where(waits).values(changes)).rowcount == 1


def add(
    db: sa.Connection,
    trial: int,
    chosen: Mapping[str, tuple[BaseDistribution, Any]],
    user: Mapping[str, Any],
    system: Mapping[str, Any] = {},
) -> None:
    """Adds parameters (name -> distribution and value) that the trial has not, and sets its attributes."""
    rows = [
        {
            "trial_id": trial,
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": _json(distribution),
        }
        for name, (distribution, value) in chosen.items()
    ]
    if rows:
        db.execute(params.insert(), rows)
    for table, attributes in ((user_attributes, user), (system_attributes, system)):
        _put(
            db,
            table,
            [{"trial_id": trial, "key": key, "value_json": json.dumps(attributes[key])} for key in attributes],
        )


def report(db: sa.Connection, study: int, number: int, step: int, value: float) -> None:
    """Records the running maximum at a step of a running trial, once."""
    trial, state = _locked(db, study, number)
    if state in UNFINISHED:
        known = dict(
            db.execute(sa.select(steps.c.step, steps.c.intermediate_value).where(steps.c.trial_id == trial)).all()
        )
        if step not in known:
            best = max([value, *(v for earlier, v in known.items() if earlier < step and v is not None)])
            _put_steps(db, trial, {step: best})


def finish(
    db: sa.Connection,
    study: int,
    number: int,
    value: float | None,
    attributes: Mapping[str, Any],
    reports: Mapping[int, float] = {},
) -> bool:
    """Ends a trial, as complete with this value or (None) as failed. False, and no change, if it has ended before."""
    trial, state = _locked(db, study, number)
    if state not in UNFINISHED:
        return False
    add(db, trial, {}, attributes)
    _put_steps(db, trial, reports)
    if value is not None:
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        _put(db, values, [{"trial_id": trial, "objective": 0, "value": stored, "value_type": kind}])
    ended = TrialState.FAIL if value is None else TrialState.COMPLETE
    db.execute(trials.update().where(trials.c.trial_id == trial).values(state=ended, datetime_complete=utc()))
    return True


def _locked(db: sa.Connection, study: int, number: int) -> tuple[int, TrialState]:
    found = sa.select(trials.c.trial_id, trials.c.state).where(numbered(study, number))
    row = db.execute(found.with_for_update()).first()
    if row is None:
        raise KeyError(f"there is no trial {number}")
    return row.trial_id, row.state


def _put_steps(db: sa.Connection, trial: int, reports: Mapping[int, float]) -> None:
    rows = []
    for step, value in reports.items():
        stored, kind = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
        rows.append({"trial_id": trial, "step": step, "intermediate_value": stored, "intermediate_value_type": kind})
    _put(db, steps, rows)


def _put(db: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Inserts the rows in one statement, or updates those that are there."""
    if rows:
        dialect = sqlite if db.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(table).values(rows)  # psycopg2 would send a list beside it row by row
        (unique,) = (c for c in table.constraints if isinstance(c, sa.UniqueConstraint))
        changes = {name: statement.excluded[name] for name in rows[0] if name not in unique.columns}
        db.execute(statement.on_conflict_do_update(index_elements=list(unique.columns), set_=changes))


@lru_cache(maxsize=64)
def _json(distribution: BaseDistribution) -> str:
    return distribution_to_json(distribution)


def utc() -> datetime:
    """Now, as Optuna keeps times: UTC without saying so."""
    return datetime.now(timezone.utc).replace(tzinfo=None)
