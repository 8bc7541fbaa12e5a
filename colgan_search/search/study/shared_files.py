"""Files that all workers of a study must share to the byte, kept in its database: the classifier that scores."""

import re
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.evaluation.classifier_card import Card
from colgan_search.file_names import CLASSIFIER_PREFIX
from colgan_search.files import atomic_path
from colgan_search.search import trust
from colgan_search.search.budget import draining
from colgan_search.search.database.tables import files
from colgan_search.search.study.opening import OpenStudy

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|json)")
"""Of a classifier's weights and their card. Nothing else is taken from the database: no statistics, no pickle."""

LARGEST_BYTES = 2**28
"""Of all shared files of a study together; a classifier of a thousand classes has some 4 MiB."""


class SharedFiles:
    """The shared files of one study. Small ones: each is one row."""

    def __init__(self, study: OpenStudy) -> None:
        self.study = study

    def pull(self, folder: Path) -> list[Path]:
        """Writes every shared file into `folder`, over what it may have under that name. The files.

        StudyError, and nothing written, if one is not such a file as workers share.
        """
        with self.study.storage.engine.connect() as db:
            rows = self.rows(db)
        paths = []
        for name, content in rows:
            path = folder / name
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
            paths.append(path)
        return paths

    def classifier_accuracy(self) -> float | None:
        """Held-out accuracy, 0..1, of the study's classifier; None if it has none (yet), or none that can be read."""
        wanted = files.c.uid == self.study.uid, files.c.name.like(f"{CLASSIFIER_PREFIX}%.json")
        try:
            with self.study.storage.engine.connect() as db:
                content = db.execute(sa.select(files.c.content).where(*wanted).order_by(files.c.name)).scalar()
            return None if content is None else Card.model_validate_json(bytes(content)).held_out_accuracy
        except (ValueError, TypeError):
            return None

    def push(self, paths: Sequence[Path]) -> bool:
        """Stores these files, unless the study has shared files already. True if it now has exactly these."""
        ours = {path.name: path.read_bytes() for path in paths}
        with self.study.storage.lock(f"files {self.study.uid}"), self.study.storage.transaction() as db:
            rows = self.rows(db)
            if rows:
                return dict(rows) == ours
            for name, content in ours.items():
                db.execute(files.insert().values(uid=self.study.uid, name=name, content=content))
        return True

    def take_from(self, other: "SharedFiles") -> bool:
        """Gives this study the shared files of another, of the same database, if it has none.

        True if both have the same then.
        """
        with self.study.storage.lock(f"files {self.study.uid}"), self.study.storage.transaction() as db:
            ours, theirs = dict(self.rows(db)), dict(other.rows(db))
            if not ours:
                for name, content in theirs.items():
                    db.execute(files.insert().values(uid=self.study.uid, name=name, content=content))
            return not ours or ours == theirs

    def rows(self, db: sa.Connection) -> list[tuple[str, bytes]]:
        """Name and content of all of them, checked."""
        where = f"{self.study.storage.name}: study {self.study.name!r}: shared files"
        ours = sa.and_(files.c.uid == self.study.uid, files.c.name != draining.MARK)
        bytes_of_all = db.execute(sa.select(sa.func.sum(sa.func.length(files.c.content))).where(ours)).scalar() or 0
        if bytes_of_all > LARGEST_BYTES:  # before they are read into memory
            raise StudyError(f"{where}: {bytes_of_all} bytes, at most {LARGEST_BYTES}; {trust.CHANGED}")
        with trust.reading(where):
            rows = db.execute(sa.select(files.c.name, files.c.content).where(ours)).all()
            return [
                (trust.file_name(row.name, NAME, where), bytes(trust.row(row, files, where).content)) for row in rows
            ]
