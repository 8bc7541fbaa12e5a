"""Optuna's studies as rows: renamed, and deleted with all that belongs to them, in a transaction of the caller's.

Optuna has no call that renames a study; its own deletion reads every row of every trial first, one trial at a time.
"""

import json
from typing import Any, cast

import sqlalchemy as sa
from optuna.storages._rdb import models

from colgan_search.search.optuna_private.trial_rows import studies, study_attributes, trials, user_attributes

METADATA = cast(sa.MetaData, models.BaseModel.metadata)


def id_of(db: sa.Connection, name: str) -> int | None:
    """The id of the study of this name, whoever made it, locked until the transaction ends; None if there is none."""
    found = sa.select(studies.c.study_id).where(studies.c.study_name == name).with_for_update()
    number = db.execute(found).scalar()
    return None if number is None else int(number)


def rename(db: sa.Connection, study: int, name: str) -> None:
    """Gives the study another name. IntegrityError if another one has it."""
    db.execute(studies.update().where(studies.c.study_id == study).values(study_name=name))


def set_attribute(db: sa.Connection, study: int, key: str, value: Any) -> None:
    """Another value for a user attribute that the study has."""
    which = (study_attributes.c.study_id == study) & (study_attributes.c.key == key)
    db.execute(study_attributes.update().where(which).values(value_json=json.dumps(value)))


def attributes(db: sa.Connection, key: str) -> dict[int, str]:
    """Id of a study -> the JSON text of its user attribute `key`, of all studies that have it."""
    found = sa.select(study_attributes.c.study_id, study_attributes.c.value_json).where(study_attributes.c.key == key)
    return {row.study_id: row.value_json for row in db.execute(found)}


def trials_attributes(db: sa.Connection, key: str) -> list[tuple[int, str]]:
    """Id of the row and JSON text of the user attribute `key` of every trial of the database that has it."""
    columns = user_attributes.c.trial_user_attribute_id, user_attributes.c.value_json
    return [(row[0], row[1]) for row in db.execute(sa.select(*columns).where(user_attributes.c.key == key))]


def set_trials_attribute(db: sa.Connection, row: int, value: Any) -> None:
    """Another value for one of those."""
    which = user_attributes.c.trial_user_attribute_id == row
    db.execute(user_attributes.update().where(which).values(value_json=json.dumps(value)))


def delete(db: sa.Connection, study: int) -> int:
    """Deletes the study with its trials and everything of theirs. How many trials it had."""
    ours = sa.select(trials.c.trial_id).where(trials.c.study_id == study)
    count = int(db.execute(sa.select(sa.func.count()).where(trials.c.study_id == study)).scalar_one())
    for table in reversed(METADATA.sorted_tables):
        if table is not trials and "trial_id" in table.c:
            db.execute(table.delete().where(table.c.trial_id.in_(ours)))
    for table in reversed(METADATA.sorted_tables):
        if "study_id" in table.c:
            db.execute(table.delete().where(table.c.study_id == study))
    return count
