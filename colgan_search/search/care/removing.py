"""A study deleted from its database: Optuna's rows and ours, in one transaction."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from colgan_search.config import ServiceSettings, StudyConfig, parse_config
from colgan_search.errors import ColganError, StudyError
from colgan_search.search import trust
from colgan_search.search.artifacts.table_store import has_table
from colgan_search.search.budget.slots import Slots
from colgan_search.search.care.drained import busy, workers_at
from colgan_search.search.database import tables
from colgan_search.search.database.storage import Storage
from colgan_search.search.optuna_private import study_rows
from colgan_search.search.study.opening import CONFIG, UID, VERSION, attributes_of, study_names


@dataclass(frozen=True)
class Removal:
    """A study that can be deleted, of whatever version it is."""

    name: str
    uid: str | None
    """None if the process that was making it died over it."""
    version: str
    results: int
    """That would be lost."""
    workers: tuple[str, ...]
    """That are at it now."""
    lease_seconds: float


def removal(storage: Storage, name: str) -> Removal:
    """What deleting the study means; changes nothing. StudyError if there is none, or if it is another program's."""
    names = study_names(storage)
    if name not in names:
        known = ", ".join(names) or "none"
        raise StudyError(f"{storage.name}: there is no study {name!a}; it holds: {known}")
    attributes = attributes_of(storage, name)
    if UID not in attributes and CONFIG not in attributes:
        raise StudyError(f"{storage.name}: {name!r} is an Optuna study that colgan-search did not make")
    version = trust.shown(attributes.get(VERSION)).strip("'")
    if UID not in attributes:
        return Removal(name, None, version, 0, (), 0.0)
    uid = trust.uid(attributes[UID], f"{storage.name}: study {name!r}")
    config = _config(attributes[CONFIG]) if CONFIG in attributes else None
    lease = ServiceSettings().lease_seconds if config is None else config.service.lease_seconds
    return Removal(name, uid, version, Slots(storage, uid).budget().done, tuple(workers_at(storage, uid, lease)), lease)


def _config(data: Any) -> StudyConfig | None:
    """None for one of another version, or of packages that are not here."""
    try:
        return parse_config(data, "a study")
    except ColganError:
        return None


def remove_study(storage: Storage, found: Removal, *, force: bool = False) -> int:
    """Deletes the study. How many trials it had. StudyError, and nothing deleted, if workers are at it, unless `force`:
    they leave then at their next word to the database, and lose what they train."""
    if found.workers and not force:
        raise busy(found.name, list(found.workers), found.lease_seconds)
    # The table of artifacts came later than the others: a database of this version may be without it.
    ours = [table for table in tables.metadata.sorted_tables if "uid" in table.c]
    ours = [table for table in ours if table is not tables.artifacts or has_table(storage)]
    with storage.lock(f"study {found.name}"), storage.transaction() as db:
        if found.uid is not None:
            # The slots first, as who writes a proposed trial takes them.
            db.execute(sa.select(tables.studies).where(tables.studies.c.uid == found.uid).with_for_update()).first()
        number = study_rows.id_of(db, found.name)
        if number is None:
            raise StudyError(f"{storage.name}: study {found.name!r} was deleted or renamed by another process")
        count = study_rows.delete(db, number)
        for table in ours if found.uid is not None else []:
            db.execute(table.delete().where(table.c.uid == found.uid))
    return count
