"""A trial's pictures into the store of its study: as many as there is room for, the best trials' first."""

import io
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from mimetypes import guess_type
from typing import TYPE_CHECKING

import sqlalchemy as sa
from optuna.artifacts import ArtifactMeta

from colgan_search.search import trust
from colgan_search.search.artifacts.table_store import TableStore
from colgan_search.search.database.tables import artifacts
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.optuna_private.artifact_rows import PREFIX
from colgan_search.search.study.opening import OpenStudy

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore


@dataclass(frozen=True)
class Picture:
    """A file for the dashboard; its kind is told by the ending of its name."""

    name: str
    content: bytes


def keep(
    study: OpenStudy, store: "ArtifactStore", number: int, value: float | None, pictures: Sequence[Picture]
) -> dict[str, str]:
    """Writes the pictures of trial `number`, and gives the system attributes by which they are found: not written yet.

    `value`: None = the trial has no final one. Of the table's store, in which there is room for so much alone, the
    pictures of the worst trials give way; nothing, and no attributes, if that is this one.
    """
    named = [(str(uuid.uuid4()), picture) for picture in pictures]
    if isinstance(store, TableStore):
        with study.storage.transaction() as db:
            if not _make_room(study, db, value, sum(len(picture.content) for picture in pictures)):
                return {}
            for name, picture in named:
                store.put(db, name, number, picture.content)
    else:
        for name, picture in named:
            store.write(name, io.BytesIO(picture.content))
    return {f"{PREFIX}{name}": _record(name, picture) for name, picture in named}


def _record(name: str, picture: Picture) -> str:
    kind, encoding = guess_type(picture.name)
    return json.dumps(asdict(ArtifactMeta(name, picture.name, kind or "application/octet-stream", encoding)))


def _make_room(study: OpenStudy, db: sa.Connection, value: float | None, needed: int) -> bool:
    """Empties what belongs to worse trials until `needed` bytes fit; False, and no change, if that is not enough."""
    room = int(study.config.artifacts.max_megabytes * 1e6)
    held = _held(study, db)
    excess = sum(held.values()) + needed - room
    if excess <= 0:
        return True
    if needed > room or value is None:
        return False
    going = []
    for number in _worse(study, db, value, list(held)):
        going.append(number)
        excess -= held[number]
        if excess <= 0:
            ours = (artifacts.c.uid == study.uid) & artifacts.c.trial_number.in_(going)
            db.execute(artifacts.update().where(ours).values(bytes=0, content=b""))
            return True
    return False


def _held(study: OpenStudy, db: sa.Connection) -> dict[int, int]:
    """Number of a trial -> bytes of its pictures, where there are any."""
    ours = (artifacts.c.uid == study.uid) & (artifacts.c.bytes > 0) & artifacts.c.trial_number.is_not(None)
    found = sa.select(artifacts.c.trial_number, sa.func.sum(artifacts.c.bytes)).where(ours)
    where = f"study {study.name!r}: its artifacts"
    rows = db.execute(found.group_by(artifacts.c.trial_number)).all()
    return {trust.number(number, where): trust.number(int(total), where) for number, total in rows}


def _worse(study: OpenStudy, db: sa.Connection, value: float, numbers: list[int]) -> list[int]:
    """Those of these trials that have ended worse than with this value, the worst first."""
    rank = study.config.objective.rank
    ended = trial_rows.ended(db, trial_rows.study_id(db, study.name, study.uid), sorted(numbers))
    ranks = {trial.number: float("inf") if trial.value is None else rank(trial.value) for trial in ended}
    return sorted((n for n, r in ranks.items() if r > rank(value)), key=lambda n: (ranks[n], n), reverse=True)
