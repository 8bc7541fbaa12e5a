"""A reproduced table as Markdown, CSV and JSON: gathered from the studies, then written."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colgan_search.files import write_text
from colgan_search.reproduction.answers import Answer, answer_claims
from colgan_search.reproduction.paper_claims import RULES
from colgan_search.reproduction.paper_tables import NOTES, protocol_sentence
from colgan_search.reproduction.real_images import kept_real_images, real_images_row, score_real_images
from colgan_search.reproduction.report_markdown import markdown
from colgan_search.reproduction.rows import RowResult, table_rows
from colgan_search.reproduction.running import Reproduction
from colgan_search.reproduction.studies import find_studies
from colgan_search.version import __version__


@dataclass(frozen=True)
class Report:
    """A reproduced table: its rows, the real images' row, and the answers to the paper's claims."""

    wanted: Reproduction
    rows: tuple[RowResult, ...]
    real: RowResult
    answers: tuple[Answer, ...]

    def markdown(self) -> str:
        """For people."""
        return markdown(self.wanted, self.rows, self.real, self.answers)

    def csv(self) -> str:
        """One line per row, every field a column; lists and protocols as JSON. Without the claims."""
        return as_csv(self.rows, self.real)

    def json(self) -> str:
        """Everything, for scripts."""
        return json.dumps(
            {
                "table": self.wanted.table,
                "scale": self.wanted.scale,
                "version": __version__,
                "command": self.wanted.made_by,
                "notes": [protocol_sentence(self.wanted.scale), *NOTES.get(self.wanted.table, ())],
                "rows": [row.as_dict() for row in self.rows],
                "real_images": self.real.as_dict(),
                "rules": RULES,
                "claims": [answer.as_dict() for answer in self.answers],
            },
            indent=1,
        )

    def write(self, folder: Path) -> dict[str, Path]:
        """Writes `TABLE-SCALE.md`, `.csv` and `.json` into `folder`; format -> path."""
        folder.mkdir(parents=True, exist_ok=True)
        texts = {"md": self.markdown(), "csv": self.csv(), "json": self.json()}
        paths = {suffix: folder / f"{self.wanted.table}-{self.wanted.scale}.{suffix}" for suffix in texts}
        for suffix, text in texts.items():
            write_text(paths[suffix], text)
        return paths


def report(wanted: Reproduction, measure_real_images: bool = False) -> Report:
    """The table as the storage has it now. StorageError if it cannot be read.

    The real images' score is the kept one; `measure_real_images` scores them if none fits.
    """
    found = find_studies(wanted)
    rows = table_rows(wanted, found)
    score = score_real_images(wanted, rows) if measure_real_images else kept_real_images(wanted, rows)
    real = real_images_row(wanted, rows, score)
    answers = answer_claims(wanted.table, found, real.our_is)
    return Report(wanted, tuple(rows), real, tuple(answers))


def as_csv(rows: Sequence[RowResult], real: RowResult) -> str:
    """One line per row, every field a column; lists and protocols as JSON."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(real.as_dict()), lineterminator="\n")
    writer.writeheader()
    for row in [*rows, real]:
        data = row.as_dict()
        as_text = {key: json.dumps(data[key]) if data[key] else "" for key in ("protocol", "per_seed")}
        writer.writerow(data | as_text)
    return buffer.getvalue()
