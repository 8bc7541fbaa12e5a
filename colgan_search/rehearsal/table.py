"""Tables of measured graphs: two files, NAME.csv with one line per training and NAME.json with how they were made.

The CSV's columns: `graph` (canonical text), `study`, `trial`, `seed`, `seconds`, `diverged` (0 or 1), then for each
moment and generator `is_EPOCH_gN` (the inception score after that epoch; the last moment is the end), and `fid_gN` if
FID was measured. Scores that a diverged training never had are empty. docs/rehearsal.md has an example.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from colgan_search.errors import ColganError, DataError
from colgan_search.files import write_text
from colgan_search.gates import Gate, get_gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Protocol
from colgan_search.roster import Roster
from colgan_search.symmetry import canonical

SHIPPED = Path(__file__).with_name("tables")
LARGEST_SCORE = 1e9
TABLE_NAME = r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$"


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Card(_Closed):
    """NAME.json: what all trainings of a table have in common."""

    format: Annotated[int, Field(ge=1, le=1)] = 1
    name: Annotated[str, Field(pattern=TABLE_NAME)]
    k: Annotated[int, Field(ge=1, le=8)]
    gates: tuple[str, ...]
    epochs: Annotated[int, Field(ge=1)]
    moments: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    """Epochs, increasing; the last is the end."""
    settings: dict[str, Any]
    """The studies' config, without what says only how long or in which order."""
    fingerprints: tuple[str, ...]
    protocol: Protocol
    interim_protocol: Protocol | None
    """Of the moments before the last; None if there are none."""
    versions: tuple[str, ...]
    """Of colgan-search, that made the studies."""
    command: str
    """That made the table."""
    machine: str
    date: str

    @model_validator(mode="after")
    def _gates_differ(self) -> "Card":
        if len(self.gates) < 2 or len(set(self.gates)) != len(self.gates):
            raise ValueError(f"the gates are {list(self.gates)}; a search needs at least two different gates")
        return self

    @model_validator(mode="after")
    def _moments_lead_to_the_end(self) -> "Card":
        if list(self.moments) != sorted(set(self.moments)) or self.moments[-1] != self.epochs:
            raise ValueError(f"the moments are {list(self.moments)}; they increase and end at {self.epochs}")
        return self


class Row(_Closed):
    """One training."""

    graph: str
    study: str
    trial: Annotated[int, Field(ge=0)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    seconds: Annotated[float, Field(gt=0, le=1e9)]
    diverged: bool
    scores: tuple[tuple[Annotated[float, Field(ge=1.0, le=LARGEST_SCORE)] | None, ...], ...]
    """[M][k]; None only where the training diverged before."""
    fid: tuple[Annotated[float, Field(ge=0.0, le=LARGEST_SCORE)] | None, ...] | None

    @property
    def training(self) -> Any:
        """Equal for the same training under two names: one that was taken over, or done twice by two like studies."""
        return self.graph, self.seed, self.scores

    def array(self) -> NDArray[np.float64]:
        """[M, k], with NaN for None."""
        return np.array([[np.nan if one is None else one for one in moment] for moment in self.scores], dtype=float)


class Table:
    """The trainings of a table, checked: every graph is canonical and every training has all moments."""

    def __init__(self, card: Card, rows: Sequence[Row], where: str) -> None:
        """DataError, which begins with `where` and says the line, if something is not as it must be."""
        if not rows:
            raise DataError(f"{where}: holds no training")
        self.card, self.rows, self.roster = card, tuple(rows), Roster(card.k)
        try:
            self.gates: tuple[Gate, ...] = tuple(get_gate(name) for name in card.gates)
        except ColganError as error:
            raise DataError(f"{where}: {error}") from None
        self.trainings: dict[KnowledgeTransferGraph, list[Row]] = {}
        """Canonical graph -> its trainings."""
        seen: set[tuple[str, int]] = set()
        trained: set[Any] = set()
        for line, row in enumerate(rows, start=2):
            self._check(row, f"{where}, line {line}", seen)
            if row.training in trained:
                raise DataError(
                    f"{where}, line {line}: trial {row.trial} of {row.study} is a training that stands there already, "
                    "with the same graph, seed and scores; delete the line"
                )
            trained.add(row.training)

    def _check(self, row: Row, where: str, seen: set[tuple[str, int]]) -> None:
        try:
            graph = KnowledgeTransferGraph.from_text(row.graph)
        except ColganError as error:
            raise DataError(f"{where}: {error}") from None
        foreign = sorted({gate.name for gate in graph.gates if gate not in self.gates})
        if graph.roster != self.roster or foreign:
            wrong = f"the gate {foreign[0]}" if foreign else f"{graph.k} generators"
            raise DataError(f"{where}: {row.graph} has {wrong}; the table's are {self.roster} and {self.card.gates}")
        if (right := canonical(graph)) != graph:
            raise DataError(f"{where}: {row.graph} is not canonical; {right} is")
        if (row.study, row.trial) in seen:
            raise DataError(f"{where}: trial {row.trial} of {row.study} stands twice")
        seen.add((row.study, row.trial))
        shape = [len(row.scores), *{len(moment) for moment in row.scores}]
        if shape != [len(self.card.moments), self.card.k]:
            raise DataError(f"{where}: scores for {len(self.card.moments)} moments of {self.roster} are needed")
        if not row.diverged and any(one is None for moment in row.scores for one in moment):
            raise DataError(f"{where}: a score is missing; only a training that diverged may lack some")
        self.trainings.setdefault(graph, []).append(row)


def shipped() -> tuple[str, ...]:
    """The names of the tables that come with the package."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.csv")))


def find(name: str) -> Path:
    """The CSV file of a shipped table by its name, or of any by its path. DataError if it is neither."""
    if name in shipped():
        return SHIPPED / f"{name}.csv"
    if not name.endswith(".csv"):
        raise DataError(f"unknown table {name!r}; shipped are: {', '.join(shipped()) or 'none'}; or name a .csv file")
    return Path(name).absolute()


def read(path: Path) -> Table:
    """The table of a CSV file and the JSON file beside it. DataError if one is not there or not as it must be."""
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise DataError(f"{file}: is not there; a table is a .csv file with a .json file of its name")
    try:
        card = Card.model_validate_json(beside.read_text(encoding="utf-8-sig"))
        lines = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig")), strict=True))
    except ValidationError as error:
        raise DataError(f"{beside}: {_problem(error)}") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from None
    heads = (columns(card, fid=True), columns(card, fid=False))
    if not lines or lines[0] not in heads:
        raise DataError(f"{path}: its first line must be {','.join(heads[0])} (fid_... may be left out)")
    # As spreadsheets write them: with a mark of the encoding, and perhaps an empty last line.
    rows = [_row(card, lines[0], cells, f"{path}, line {at}") for at, cells in enumerate(lines[1:], start=2) if cells]
    return Table(card, rows, str(path))


def write(path: Path, table: Table) -> None:
    """Both files, each whole or not at all; the JSON file last."""
    with_fid = any(row.fid is not None for row in table.rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(table.card, with_fid))
    for row in table.rows:
        cells: list[Any] = [row.graph, row.study, row.trial, row.seed, row.seconds, int(row.diverged)]
        cells += [one for moment in row.scores for one in moment]
        cells += (row.fid or [None] * table.card.k) if with_fid else []
        writer.writerow("" if cell is None else cell for cell in cells)
    write_text(path, text.getvalue())
    write_text(path.with_suffix(".json"), table.card.model_dump_json(indent=1) + "\n")


def columns(card: Card, fid: bool) -> list[str]:
    """The CSV's first line."""
    generators = range(1, card.k + 1)
    scores = [f"is_{epoch}_g{i}" for epoch in card.moments for i in generators]
    return ["graph", "study", "trial", "seed", "seconds", "diverged", *scores] + [f"fid_g{i}" for i in generators] * fid


def _problem(error: ValidationError) -> str:
    """The first thing that is wrong: where, what, and the value."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place} is {str(first['input'])[:80]!r}: {first['msg']}" if place else str(first["msg"])


def _row(card: Card, head: list[str], cells: list[str], where: str) -> Row:
    if len(cells) != len(head):
        raise DataError(f"{where}: {len(cells)} columns, where the first line has {len(head)}")
    values: list[str | None] = [cell or None for cell in cells]
    k, first = card.k, 6
    moments = [values[at : at + k] for at in range(first, first + k * len(card.moments), k)]
    fid = values[first + k * len(card.moments) :]
    fields = dict(zip(head[:first], values, strict=False))
    try:
        return Row.model_validate(fields | {"scores": moments, "fid": fid if any(fid) else None})
    except ValidationError as error:
        raise DataError(f"{where}: {_problem(error)}") from None
