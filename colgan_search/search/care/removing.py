"""A study deleted: its pictures in a folder or a bucket, then Optuna's rows and ours, in one transaction.

The rows go last, as they alone say which pictures there are: whatever is interrupted can be done again to its end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from optuna.artifacts.exceptions import ArtifactNotFound
from pydantic import ValidationError

from colgan_search.config import ServiceSettings, StudyConfig, parse_config
from colgan_search.config.artifacts import ArtifactSettings
from colgan_search.errors import ColganError, DataError, StudyError, in_one_line
from colgan_search.long_work import tell
from colgan_search.search import trust
from colgan_search.search.artifacts.table_store import has_table
from colgan_search.search.budget.slots import Slots
from colgan_search.search.care.drained import busy, workers_at
from colgan_search.search.database import tables
from colgan_search.search.database.storage import Storage
from colgan_search.search.optuna_private import artifact_rows, study_rows
from colgan_search.search.study.opening import CONFIG, UID, VERSION, attributes_of, study_names

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore

AT_ONCE = 500
"""Names in one statement: an SQLite of before 2020 takes a thousand."""


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
    artifacts: ArtifactSettings | None = None
    """Where its pictures are; None where its config does not say."""
    pictures: tuple[str, ...] = ()
    """Ids of those in a folder or a bucket that no other study of the database shows."""

    @property
    def place(self) -> str | None:
        """The folder or the bucket that has them; None without any."""
        return self.artifacts.place if self.artifacts is not None and self.pictures else None


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
    workers = tuple(workers_at(storage, uid, lease))
    artifacts = _artifacts(attributes.get(CONFIG))
    pictures: list[str] = []
    if artifacts is not None and artifacts.place is not None:
        with storage.engine.connect() as db:
            number = study_rows.id_of(db, name)
            pictures = [] if number is None else artifact_rows.named_only_by(db, number)
    done = Slots(storage, uid).budget().done
    return Removal(name, uid, version, done, workers, lease, artifacts, tuple(pictures))


def _artifacts(config: Any) -> ArtifactSettings | None:
    """That section alone: the rest may be of another version."""
    try:
        return ArtifactSettings.model_validate(config.get("artifacts", {}))
    except (AttributeError, ValidationError):
        return None


def _config(data: Any) -> StudyConfig | None:
    """None for one of another version, or of packages that are not here."""
    try:
        return parse_config(data, "a study")
    except ColganError:
        return None


def require_no_workers(found: Removal, *, force: bool = False) -> None:
    """StudyError if workers are at it, unless `force`: they leave then at their next word to the database, and lose
    what they train."""
    if found.workers and not force:
        raise busy(found.name, list(found.workers), found.lease_seconds)


def remove_pictures(found: Removal, store: "ArtifactStore") -> int:
    """Removes its pictures from the folder or the bucket; before `remove_study`. How many were there.

    DataError, which says what is gone, if one cannot be removed, or if a folder has none of them: the study is whole
    but for those, and the same again goes on. Those that are gone already are no error.
    """
    place, gone, wanted = found.place, 0, len(found.pictures)
    for done, name in enumerate(found.pictures):
        tell(f"removing pictures from {place}", done, wanted)
        try:
            store.remove(name)
        except ArtifactNotFound:
            continue
        except Exception as error:  # a bucket's client raises nearly anything
            raise DataError(
                f"artifacts.place {place}: picture {name} cannot be removed: {in_one_line(error)}; study "
                f"{found.name!r} is not deleted, {gone} of its {wanted} pictures are: delete it again when this is "
                f"mended, or with `leave_pictures`"
            ) from error
        gone += 1
    if wanted and not gone:
        raise DataError(
            f"artifacts.place {place}: has none of the {wanted} pictures of study {found.name!r}; it is not deleted. "
            "Is it mounted here? If they are gone for good: `leave_pictures`"
        )
    tell(f"removing pictures from {place}", wanted, wanted)
    return gone


def remove_study(storage: Storage, found: Removal, *, force: bool = False) -> int:
    """Deletes its rows, and pictures in the database. How many trials it had. Errors as `require_no_workers`."""
    require_no_workers(found, force=force)
    # The table of artifacts came later than the others: a database of this version may be without it.
    with_pictures = has_table(storage)
    ours = [table for table in tables.metadata.sorted_tables if "uid" in table.c]
    ours = [table for table in ours if table is not tables.artifacts or with_pictures]
    with storage.lock(f"study {found.name}"), storage.transaction() as db:
        if found.uid is not None:
            # The slots first, as who writes a proposed trial takes them.
            db.execute(sa.select(tables.studies).where(tables.studies.c.uid == found.uid).with_for_update()).first()
        number = study_rows.id_of(db, found.name)
        if number is None:
            raise StudyError(f"{storage.name}: study {found.name!r} was deleted or renamed by another process")
        if with_pictures:
            _forget_given(db, artifact_rows.named_only_by(db, number))
        count = study_rows.delete(db, number)
        for table in ours if found.uid is not None else []:
            db.execute(table.delete().where(table.c.uid == found.uid))
    return count


def _forget_given(db: sa.Connection, names: Sequence[str]) -> None:
    """What somebody gave at the dashboard lies in the table under no study's uid."""
    given = tables.artifacts
    for first in range(0, len(names), AT_ONCE):
        its = given.c.artifact.in_(names[first : first + AT_ONCE])
        db.execute(given.delete().where(given.c.uid == "", its))
