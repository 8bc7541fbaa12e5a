"""Optuna's trials, written whole: each of these belongs into a transaction of its caller's."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, distribution_to_json
from optuna.storages._rdb import models
from optuna.trial import TrialState
from sqlalchemy.dialects import postgresql, sqlite

from colgan_search.errors import StudyError
from colgan_search.records import Objective
from colgan_search.search import trust
from colgan_search.search.optuna_private.trial_rows import (
    UNFINISHED,
    numbered,
    params,
    steps,
    system_attributes,
    trials,
    user_attributes,
    values,
)


def count(db: sa.Connection, study: int) -> int:
    """The number of the study's trials, which is also the number of its next one."""
    return int(db.execute(sa.select(sa.func.count()).where(trials.c.study_id == study)).scalar_one())


def insert(db: sa.Connection, study: int, number: int) -> int:
    """A new running trial with nothing in it; its id."""
    row = trials.insert().values(study_id=study, number=number, state=TrialState.RUNNING, datetime_start=utc())
    key = db.execute(row).inserted_primary_key
    assert key is not None
    return int(key[0])


def enqueue(db: sa.Connection, study: int, number: int, params: Mapping[str, Any], user: Mapping[str, Any]) -> None:
    """A new trial that waits to be begun with these parameters, as Optuna's `enqueue_trial` makes it."""
    row = trials.insert().values(study_id=study, number=number, state=TrialState.WAITING)
    key = db.execute(row).inserted_primary_key
    assert key is not None
    add(db, int(key[0]), {}, user, {"fixed_params": dict(params)})


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


def report(db: sa.Connection, study: int, number: int, step: int, value: float, objective: Objective) -> bool:
    """Records the running best at a step of a running trial, once. True if that was now."""
    trial, state = _locked(db, study, number)
    if state in UNFINISHED:
        known = dict(
            db.execute(sa.select(steps.c.step, steps.c.intermediate_value).where(steps.c.trial_id == trial)).all()
        )
        if step not in known:
            with trust.reading(f"trial {number}: what it has reported"):
                best = objective.best([value, *(v for earlier, v in known.items() if earlier < step and v is not None)])
            _put_steps(db, trial, {step: best})
            return True
    return False


def finish(
    db: sa.Connection,
    study: int,
    number: int,
    value: float | None,
    attributes: Mapping[str, Any],
    reports: Mapping[int, float] = {},
    *,
    pruned: bool = False,
    system: Mapping[str, Any] = {},
) -> bool:
    """Ends a trial, as complete (or as pruned) with this value or (None) as failed.

    `system`: system attributes. False, and no change, if it has ended before.
    """
    trial, state = _locked(db, study, number)
    if state not in UNFINISHED:
        return False
    add(db, trial, {}, attributes, system)
    _put_steps(db, trial, reports)
    if value is not None:
        stored, kind = models.TrialValueModel.value_to_stored_repr(value)
        _put(db, values, [{"trial_id": trial, "objective": 0, "value": stored, "value_type": kind}])
    ended = TrialState.FAIL if value is None else TrialState.PRUNED if pruned else TrialState.COMPLETE
    db.execute(trials.update().where(trials.c.trial_id == trial).values(state=ended, datetime_complete=utc()))
    return True


def set_times(db: sa.Connection, trial: int, start: datetime | None, complete: datetime | None) -> None:
    """When a trial that was made elsewhere ran."""
    times = {"datetime_start": start, "datetime_complete": complete}
    db.execute(trials.update().where(trials.c.trial_id == trial).values(times))


def _locked(db: sa.Connection, study: int, number: int) -> tuple[int, TrialState]:
    found = sa.select(trials.c.trial_id, trials.c.state).where(numbered(study, number))
    with trust.reading(f"trial {number}"):
        row = db.execute(found.with_for_update()).first()
    if row is None:
        raise StudyError(f"there is no trial {number} any more; was the study deleted or changed in the database?")
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
