"""Files that all workers of a study must share to the byte, kept in its database: the classifier that scores."""

from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from colgan_search.evaluation.classifier_card import Card
from colgan_search.files import atomic_path
from colgan_search.search.study import OpenStudy
from colgan_search.search.tables import files


class SharedFiles:
    """The shared files of one study. Small ones: each is one row."""

    def __init__(self, study: OpenStudy) -> None:
        self.study = study

    def pull(self, folder: Path) -> list[Path]:
        """Writes every shared file into `folder`, over what it may have under that name. The files."""
        with self.study.storage.engine.connect() as db:
            rows = db.execute(sa.select(files.c.name, files.c.content).where(files.c.uid == self.study.uid)).all()
        paths = []
        for name, content in rows:
            path = folder / Path(name).name
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
            paths.append(path)
        return paths

    def classifier_accuracy(self) -> float | None:
        """Held-out accuracy, 0..1, of the study's classifier; None if it has none (yet), or none that can be read."""
        wanted = files.c.uid == self.study.uid, files.c.name.like("classifier-%.json")
        with self.study.storage.engine.connect() as db:
            content = db.execute(sa.select(files.c.content).where(*wanted).order_by(files.c.name)).scalar()
        try:
            return None if content is None else Card.model_validate_json(bytes(content)).held_out_accuracy
        except ValueError:
            return None

    def push(self, paths: Sequence[Path]) -> bool:
        """Stores these files, unless the study has shared files already. True if it now has exactly these."""
        ours = {path.name: path.read_bytes() for path in paths}
        with self.study.storage.lock(f"files {self.study.uid}"), self.study.storage.transaction() as db:
            rows = db.execute(sa.select(files.c.name, files.c.content).where(files.c.uid == self.study.uid)).all()
            if rows:
                return {name: bytes(content) for name, content in rows} == ours
            for name, content in ours.items():
                db.execute(files.insert().values(uid=self.study.uid, name=name, content=content))
        return True
