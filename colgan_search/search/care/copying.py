"""Copies a study into another database: Optuna's trials under their numbers, our slots and workers beside them."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search import trust
from colgan_search.search.artifacts.table_store import has_table
from colgan_search.search.budget import draining
from colgan_search.search.budget.slot_records import FREE, LEASED
from colgan_search.search.budget.workers import GONE, WorkerState
from colgan_search.search.care.dead_workers import release_dead
from colgan_search.search.care.drained import require_drained
from colgan_search.search.database import tables
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import artifacts, files, slots, studies, workers
from colgan_search.search.optuna_private.handles import set_system_attribute, system_attributes, trial_id
from colgan_search.search.study.opening import UID, OpenStudy, direction_of, open_study, study_names

COPIED_FROM = "copied_from"
"""User attribute of a copy: where it comes from. Set first, so that a copy that was cut short is known as one."""

TRIAL_KEY = re.compile(r"(?P<before>dashboard:)(?P<trial>\d+)(?P<after>:.*)", re.DOTALL)
"""The dashboard keeps notes on trials in the study, under the trial's number in the database."""


def copy_study(
    source: OpenStudy, target: Storage, name: str, on_trial: Callable[[int, int], None] = lambda done, total: None
) -> OpenStudy:
    """Makes `name` in `target`: the same config, budget, trials and numbers, under an identity of its own.

    It goes on there with an exact budget: what was in progress is continued as the same trial, with the same graph
    and seed. `source` stays as it is. `on_trial(done, total)` is told of every trial.
    StudyError if workers are at the study, if they come while it is copied (the copy is removed again), or if
    `target` has a study of that name; one that an earlier copy left unfinished is replaced.
    """
    release_dead(source)
    require_drained(source)
    with target.lock(f"study {name}"):
        _make_room(target, name)
        before = _state(source)
        copy = optuna.create_study(storage=target.optuna, study_name=name, direction=direction_of(source.config))
        copy.set_user_attr(COPIED_FROM, f"{source.name} in {source.storage.name}")
        uid = uuid.uuid4().hex
        original = source.load()
        trials = source.trials()
        try:
            for trial in trials:
                copy.add_trial(trial)
                on_trial(trial.number + 1, len(trials))
            _copy_system_attributes(original, copy)
            _copy_tables(source, target, uid)
            _copy_artifacts(source, target, uid)
            for key, value in original.user_attrs.items():
                if key not in (UID, COPIED_FROM):
                    copy.set_user_attr(key, value)
        except Exception as error:
            if is_outage(error):
                raise
            optuna.delete_study(study_name=name, storage=target.optuna)
            _forget(target, uid)
            raise StudyError(
                f"study {source.name!r} holds what {target.name} does not take, and the copy was removed again: "
                f"{one_line(error)}"
            ) from error
        if _state(source) != before:
            optuna.delete_study(study_name=name, storage=target.optuna)
            _forget(target, uid)
            raise StudyError(
                f"study {source.name!r} went on while it was copied, and the copy was removed again; "
                "drain all its workers (SIGTERM, or Ctrl-C in `launch`) and copy then"
            )
        # Last: a study without it was cut short while it was made.
        copy.set_user_attr(UID, uid)
    return open_study(target, name, source.config)


def _make_room(target: Storage, name: str) -> None:
    """StudyError if `target` has a study of that name, unless an earlier copy was cut short in making it."""
    if name not in study_names(target):
        return
    with trust.reading(f"{target.name}: study {name!r}"):
        there = optuna.load_study(study_name=name, storage=target.optuna)
        attributes = there.user_attrs
        begun = COPIED_FROM in attributes or not (attributes or there.get_trials(deepcopy=False))
    if UID in attributes or not begun:
        raise StudyError(f"{target.name}: there is a study {name!r} already; name the copy otherwise: `name` NAME")
    optuna.delete_study(study_name=name, storage=target.optuna)


def _state(study: OpenStudy) -> list[tuple[Any, ...]]:
    """What changes when anybody works on the study."""
    with study.storage.engine.connect() as db:
        rows = db.execute(
            sa.select(slots.c.slot, slots.c.state, slots.c.token, slots.c.trial_number, slots.c.outcome)
            .where(slots.c.uid == study.uid)
            .order_by(slots.c.slot)
        ).all()
        total = db.execute(sa.select(studies.c.total).where(studies.c.uid == study.uid)).scalar()
    trials = study.trials()
    return [(total,), *map(tuple, rows), *((trial.number, trial.state) for trial in trials)]


def _copy_system_attributes(original: optuna.Study, copy: optuna.Study) -> None:
    """Metric names and the dashboard's notes, which name a trial by its number in the database."""
    number_of = {trial_id(trial): trial.number for trial in original.get_trials(deepcopy=False)}
    id_of = {trial.number: trial_id(trial) for trial in copy.get_trials(deepcopy=False)}
    for key, value in system_attributes(original).items():
        match = TRIAL_KEY.fullmatch(key)
        if match is not None and int(match["trial"]) in number_of:
            key = f"{match['before']}{id_of[number_of[int(match['trial'])]]}{match['after']}"
        set_system_attribute(copy, key, value)


def _copy_tables(source: OpenStudy, target: Storage, uid: str) -> None:
    """Our rows, under the copy's own `uid`. Nobody works there: leases are given back, workers have left."""
    with source.storage.engine.connect() as db:
        rows = {
            table: [
                dict(trust.row(row, table, f"study {source.name!r}")._mapping)
                for row in db.execute(sa.select(table).where(table.c.uid == source.uid))
            ]
            for table in _tables()
        }
    rows[files] = [row for row in rows[files] if row["name"] != draining.MARK]  # of the workers there
    # Times on the other database's clock mean nothing here.
    for row in rows[studies]:
        row |= {"grace_until": 0.0, "contact": 0.0, "ask_until": 0.0}
    for row in rows[slots]:
        row |= {"lease_until": 0.0, "state": FREE if row["state"] == LEASED else row["state"]}
    for row in rows[workers]:
        row["state"] = row["state"] if row["state"] in GONE else WorkerState.LEFT.value
    with target.transaction() as db:
        for table, values in rows.items():
            if values:
                db.execute(table.insert(), [{**row, "uid": uid} for row in values])


def _copy_artifacts(source: OpenStudy, target: Storage, uid: str) -> None:
    """The pictures in the database, under their ids, one at a time: together they may be larger than the memory."""
    if not has_table(source.storage):
        return
    its = artifacts.c.uid == source.uid
    with source.storage.engine.connect() as db:
        names = db.execute(sa.select(artifacts.c.artifact).where(its).order_by(artifacts.c.artifact)).scalars().all()
    for name in names:
        with source.storage.engine.connect() as db:
            found = db.execute(sa.select(artifacts).where(its, artifacts.c.artifact == name)).one_or_none()
        if found is None:  # removed meanwhile, at the dashboard
            continue
        row = trust.row(found, artifacts, f"study {source.name!r}: its artifacts")._mapping
        with target.transaction() as db:
            db.execute(artifacts.insert().values(**{**row, "uid": uid}))


def _forget(target: Storage, uid: str) -> None:
    with target.transaction() as db:
        for table in (*_tables(), artifacts):
            db.execute(table.delete().where(table.c.uid == uid))


def _tables() -> list[sa.Table]:
    """Ours that hold rows of a study: its budget, slots, workers, and the files that its workers share."""
    return [table for table in tables.metadata.sorted_tables if "uid" in table.c and table is not artifacts]
