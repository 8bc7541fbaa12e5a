"""What Optuna's dashboard keeps with a study, written many at a time: its own calls read everything for each."""

import json
from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa
from optuna.storages._rdb import models
from sqlalchemy.dialects import postgresql, sqlite

attributes = cast(sa.Table, models.StudySystemAttributeModel.__table__)


def put_attributes(db: sa.Connection, study: int, values: Mapping[str, Any], *, over: bool) -> None:
    """Sets the study's system attributes; `over` = also those that are there already, which asks for more rights."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    rows = [{"study_id": study, "key": key, "value_json": json.dumps(value)} for key, value in values.items()]
    if not rows:
        return
    statement = dialect.insert(attributes).values(rows)
    unique = [attributes.c.study_id, attributes.c.key]
    if over:
        changes = {"value_json": statement.excluded.value_json}
        db.execute(statement.on_conflict_do_update(index_elements=unique, set_=changes))
    else:
        db.execute(statement.on_conflict_do_nothing(index_elements=unique))


def attributes_like(db: sa.Connection, study: int, beginning: str) -> dict[str, Any]:
    """The study's system attributes whose keys begin so."""
    found = sa.select(attributes.c.key, attributes.c.value_json).where(attributes.c.study_id == study)
    rows = db.execute(found.where(attributes.c.key.startswith(beginning, autoescape=True)))
    return {key: json.loads(text) for key, text in rows}


def exchange(db: sa.Connection, study: int, key: str, old: Any, new: Any) -> bool:
    """Sets an attribute if it is still `old` (None: not there yet). False if another process was quicker."""
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    if old is None:
        row = {"study_id": study, "key": key, "value_json": json.dumps(new)}
        added = dialect.insert(attributes).values(row)
        unique = [attributes.c.study_id, attributes.c.key]
        return db.execute(added.on_conflict_do_nothing(index_elements=unique)).rowcount == 1
    its = (attributes.c.study_id == study) & (attributes.c.key == key) & (attributes.c.value_json == json.dumps(old))
    return db.execute(attributes.update().where(its).values(value_json=json.dumps(new))).rowcount == 1
