"""Optuna's own tables, read many trials at a time. Only this file and `trial_writes` know them.

Optuna's storage makes a transaction of every parameter and every attribute, and parses each distribution anew for every
trial it reads: 300 statements a trial, and 17 s to read 15,000 trials. Optuna refuses tables of another version than
its own (`Storage.check_optuna_tables`), so these are as its models say.
"""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import sqlalchemy as sa
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState

from colgan_search.errors import StudyError
from colgan_search.search import trust

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


def waiting(db: sa.Connection, study: int) -> int:
    """How many of its trials people have enqueued and nobody has begun."""
    which = trials.c.study_id == study, trials.c.state == TrialState.WAITING
    return int(db.execute(sa.select(sa.func.count()).where(*which)).scalar_one())


def newer(study: int, after: int, again: Collection[int]) -> sa.ColumnElement[bool]:
    """The study's trials with ids above `after`, and those of the ids `again`."""
    return (trials.c.study_id == study) & ((trials.c.trial_id > after) | trials.c.trial_id.in_(again))


def numbered(study: int, *numbers: int) -> sa.ColumnElement[bool]:
    """The study's trials of these numbers."""
    return (trials.c.study_id == study) & trials.c.number.in_(numbers)


def from_number(study: int, first: int) -> sa.ColumnElement[bool]:
    """The study's trials from this number on."""
    return (trials.c.study_id == study) & (trials.c.number >= first)


def read(
    db: sa.Connection,
    which: sa.ColumnElement[bool],
    where: str,
    attributes: Sequence[str] = (),
    *,
    with_params: bool = True,
    with_steps: bool = False,
) -> list[FrozenTrial]:
    """Trials in the order of their numbers; of their user attributes only those named.

    Without `with_params` they have no parameters and no system attributes, which are most of a study's rows. A
    parameter whose distribution cannot be read is left out: such a trial is not one of ours. Only `with_steps` have
    they intermediate values. StudyError, which begins with `where`, if anything else cannot be read.
    """
    with trust.reading(where):
        return _read(db, which, attributes, with_params, with_steps)


def _read(
    db: sa.Connection, which: sa.ColumnElement[bool], attributes: Sequence[str], with_params: bool, with_steps: bool
) -> list[FrozenTrial]:
    times = trials.c.datetime_start, trials.c.datetime_complete
    columns = trials.c.trial_id, trials.c.number, trials.c.state, *times, values.c.value, values.c.value_type
    rows = db.execute(_with_value(*columns).where(which)).all()
    if not rows:
        return []
    chosen: dict[int, dict[str, Any]] = defaultdict(dict)
    spaces: dict[int, dict[str, BaseDistribution]] = defaultdict(dict)
    for row in _params(db, which) if with_params else ():
        if (known := _parameter(row.distribution_json, row.param_value)) is not None:
            spaces[row.trial_id][row.param_name], chosen[row.trial_id][row.param_name] = known
    system = _attributes(db, system_attributes, which) if with_params else {}
    scored = _steps(db, which) if with_steps else {}
    user = _attributes(db, user_attributes, which & user_attributes.c.key.in_(attributes)) if attributes else {}
    return [
        FrozenTrial(
            number=trust.number(row.number, "a trial's number"),
            trial_id=row.trial_id,
            state=row.state,
            value=None if row.value_type is None else _value(row.value, row.value_type),
            datetime_start=row.datetime_start,
            datetime_complete=row.datetime_complete,
            params=chosen[row.trial_id],
            distributions=spaces[row.trial_id],
            user_attrs=user.get(row.trial_id, {}),
            system_attrs=system.get(row.trial_id, {}),
            intermediate_values=scored.get(row.trial_id, {}),
        )
        for row in sorted(rows, key=lambda row: row.number)
    ]


def _params(db: sa.Connection, which: sa.ColumnElement[bool]) -> Iterable[Any]:
    return db.execute(
        sa.select(params.c.trial_id, params.c.param_name, params.c.param_value, params.c.distribution_json)
        .join(trials, trials.c.trial_id == params.c.trial_id)
        .where(which)
        .order_by(params.c.param_id)
    )


def _steps(db: sa.Connection, which: sa.ColumnElement[bool]) -> dict[int, dict[int, float]]:
    columns = steps.c.trial_id, steps.c.step, steps.c.intermediate_value, steps.c.intermediate_value_type
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for row in db.execute(sa.select(*columns).join(trials, trials.c.trial_id == steps.c.trial_id).where(which)):
        read = models.TrialIntermediateValueModel.stored_repr_to_intermediate_value
        value = read(row.intermediate_value, row.intermediate_value_type)
        if not isinstance(value, (int, float)):
            raise TypeError(f"{trust.shown(value)} is no score")
        found[row.trial_id][trust.number(row.step, "a step")] = value
    return found


@dataclass(frozen=True)
class Ended:
    """A trial that is complete, with its value, or has failed or was pruned, without one."""

    number: int
    value: float | None
    pruned: bool = False


def ended(db: sa.Connection, study: int, numbers: Sequence[int]) -> list[Ended]:
    """Those of these trials that have ended. StudyError if they cannot be read."""
    found = []
    for first in range(0, len(numbers), AT_ONCE):
        which = numbered(study, *numbers[first : first + AT_ONCE]) & trials.c.state.not_in(UNFINISHED)
        rows = db.execute(
            _with_value(trials.c.number, trials.c.state, values.c.value, values.c.value_type).where(which)
        )
        for row in rows:
            complete = row.state == TrialState.COMPLETE and row.value_type is not None
            value = _value(row.value, row.value_type) if complete else None
            found.append(Ended(row.number, value, row.state == TrialState.PRUNED))
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


def _value(value: object, kind: Any) -> float:
    # SQLite keeps texts in columns of numbers too.
    if value is not None and (not isinstance(value, (int, float)) or math.isnan(value)):
        raise TypeError(f"{trust.shown(value)} is no score")
    return models.TrialValueModel.stored_repr_to_value(value, kind)
