"""Optuna's artifact store in a table of the study's database: from every machine, without a shared disk."""

import io
from typing import BinaryIO

import sqlalchemy as sa
from optuna.artifacts.exceptions import ArtifactNotFound

from colgan_search.search import trust
from colgan_search.search.artifacts.placeholder import placeholder
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import artifacts

LARGEST_BYTES = 2**24
"""Of one artifact; ours have some ten thousand."""


class TableStore:
    """Reads any study's artifacts, whose ids are random. Writes them for the study of `uid`."""

    def __init__(self, storage: Storage, uid: str | None = None) -> None:
        self.storage = storage
        self.uid = uid

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Its content, or a small picture that says that it gave way to a better trial's. ArtifactNotFound."""
        its = artifacts.c.artifact == artifact_id
        with self.storage.engine.connect() as db:
            length = db.execute(sa.select(sa.func.length(artifacts.c.content)).where(its)).scalar()
            if length is None:
                raise ArtifactNotFound(f"{self.storage.name}: no artifact {trust.shown(artifact_id)}")
            if length > LARGEST_BYTES:  # before it is read into memory
                raise ArtifactNotFound(f"{self.storage.name}: artifact {artifact_id} has {length} bytes")
            row = db.execute(sa.select(artifacts).where(its).limit(1)).one()
        content = bytes(trust.row(row, artifacts, f"{self.storage.name}: artifact {artifact_id}").content)
        return io.BytesIO(content or placeholder())

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keeps an artifact of no trial: somebody gave it at the dashboard. ValueError if it is too large."""
        content = content_body.read(LARGEST_BYTES + 1)
        with self.storage.transaction() as db:
            self.put(db, artifact_id, None, content)

    def put(self, db: sa.Connection, artifact_id: str, trial_number: int | None, content: bytes) -> None:
        """Keeps one, in a transaction of the caller's."""
        if len(content) > LARGEST_BYTES:
            raise ValueError(f"an artifact of {len(content)} bytes; at most {LARGEST_BYTES}")
        row = {"uid": self.uid or "", "artifact": artifact_id, "trial_number": trial_number}
        db.execute(artifacts.insert().values(**row, bytes=len(content), content=content))

    def remove(self, artifact_id: str) -> None:
        """Forgets it. ArtifactNotFound if it is not there."""
        its = artifacts.c.artifact == artifact_id
        if self.uid is not None:
            its &= artifacts.c.uid == self.uid
        with self.storage.transaction() as db:
            if not db.execute(artifacts.delete().where(its)).rowcount:
                raise ArtifactNotFound(f"{self.storage.name}: no artifact {trust.shown(artifact_id)}")


def has_table(storage: Storage) -> bool:
    """False for a database of before there was one, until the next one makes it that may."""
    with storage.engine.connect() as db:
        return bool(sa.inspect(db).has_table(artifacts.name))
