"""What the database says, checked where it enters: others may write there. One rule for each kind of thing.

Everything here raises StudyError, which says what is wrong and where; what is wrong is shown as Python writes it, cut.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import sqlalchemy as sa
from pydantic import Field, TypeAdapter, ValidationError

from colgan_search.config import STUDY_NAME
from colgan_search.errors import ColganError, StudyError

T = TypeVar("T")

LARGEST_NUMBER = 2**31 - 1
"""Of trials, slots, claims, epochs, processes: PostgreSQL's integers hold no larger one."""
LARGEST_REAL = 1e15
"""Of times, scores and seconds."""
LONGEST_TEXT = 2**26
"""Characters of a result with its whole history, the longest text of ours."""
SHOWN = 80
"""Characters of a wrong value in an error."""

Number = Annotated[int, Field(strict=True, ge=0, le=LARGEST_NUMBER)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Real = Annotated[float, Field(strict=True, ge=-LARGEST_REAL, le=LARGEST_REAL, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, ge=0.0, le=LARGEST_REAL, allow_inf_nan=False)]
Word = Annotated[str, Field(strict=True, max_length=200)]
Text = Annotated[str, Field(strict=True, max_length=100_000)]
GRAPH_FORM = r"^G1=[^/]*(/G[0-9]+=[^/]*){0,63}(/D[0-9]+=[^/]*){0,16}$"
GraphText = Annotated[str, Field(strict=True, max_length=100_000, pattern=GRAPH_FORM)]
"""A graph of at most 64 generators, as the config has it: reading one of 10,000 would take all memory."""

UID = re.compile(r"[0-9a-f]{32}")
ARTIFACT = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""Optuna's ids of artifacts: random UUIDs."""
CHANGED = "colgan-search does not write such a thing: it was changed in the database"


def study_name(value: object) -> str:
    """A study's name, which also names a folder."""
    if not is_study_name(value):
        raise StudyError(
            f"{shown(value)} is not a study's name: at most 100 letters, digits, '.', '_' and '-', "
            "the first a letter or a digit"
        )
    return str(value)


def is_study_name(value: object) -> bool:
    """True if a study of ours can be called so."""
    return isinstance(value, str) and re.fullmatch(STUDY_NAME, value) is not None


def uid(value: object, where: str) -> str:
    """A study's identity: 32 hexadecimal digits; it also names files."""
    if not isinstance(value, str) or UID.fullmatch(value) is None:
        raise StudyError(f"{where}: uid: {shown(value)} is not allowed: 32 hexadecimal digits; {CHANGED}")
    return value


def is_artifact(value: object) -> bool:
    """True for the id of an artifact, which also names its file in a folder or a bucket."""
    return isinstance(value, str) and ARTIFACT.fullmatch(value) is not None


def file_name(value: object, pattern: re.Pattern[str], where: str) -> str:
    """The name of a file, one component of a path, in the form that `pattern` is the whole of."""
    if not isinstance(value, str) or pattern.fullmatch(value) is None or "/" in value or "\0" in value:
        raise StudyError(f"{where}: {shown(value)} is not the name of a shared file; {CHANGED}")
    return value


def number(value: object, where: str) -> int:
    """A whole number from 0 on."""
    return int(read(_KINDS[sa.Integer], value, where))


def is_number(value: object) -> bool:
    """True for what `number` takes."""
    return type(value) is int and 0 <= value <= LARGEST_NUMBER


def read(kind: TypeAdapter[T], value: object, where: str) -> T:
    """The value as that kind of record or number."""
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        path = ".".join(map(str, problem["loc"]))
        message = problem["msg"][:1].lower() + problem["msg"][1:]
        said = "is missing" if problem["type"] == "missing" else f"{shown(problem['input'])} is not allowed: {message}"
        raise StudyError(f"{where}: {path + ': ' if path else ''}{said}; {CHANGED}") from None


def row(found: Any, table: sa.Table, where: str) -> Any:
    """The row itself, if every column of `table` in it holds what the column is for. SQLite does not see to it."""
    for name, value in found._mapping.items():
        if name in table.c and not (value is None and table.c[name].nullable):
            read(_KINDS[type(table.c[name].type)], value, f"{where}: {table.name}.{name}")
            if (length := getattr(table.c[name].type, "length", None)) is not None and len(value) > length:
                raise StudyError(f"{where}: {table.name}.{name}: {len(value)} characters, not {length}; {CHANGED}")
            if isinstance(value, str) and "\0" in value:
                raise StudyError(f"{where}: {table.name}.{name}: {shown(value)} holds a null character; {CHANGED}")
    return found


def rows(found: Iterable[Any], table: sa.Table, where: str) -> list[Any]:
    """All rows, checked as `row` does."""
    return [row(one, table, where) for one in found]


_KINDS: dict[type, TypeAdapter[Any]] = {
    sa.Integer: TypeAdapter(Number),
    sa.Float: TypeAdapter(Real),
    sa.String: TypeAdapter(Text),
    sa.Text: TypeAdapter(Annotated[str, Field(strict=True, max_length=LONGEST_TEXT)]),
    sa.LargeBinary: TypeAdapter(Annotated[bytes, Field(strict=True)]),
}
"""Type of a column -> what it may hold."""


def from_json(text: object, where: str) -> Any:
    """The data of a JSON text, without NaN, Inf and numbers that nothing here can be as large as."""
    with reading(where):
        if not isinstance(text, str):
            raise TypeError(f"{shown(text)} is not JSON")
        data = json.loads(text)
        _require_sizes(data)
        return data


def _require_sizes(data: Any) -> None:
    if isinstance(data, dict):
        data = [*data, *data.values()]
    if isinstance(data, list):
        for value in data:
            _require_sizes(value)
    elif isinstance(data, float) and not (math.isfinite(data) and abs(data) <= LARGEST_REAL):
        raise ValueError(f"{data!r} is no score, time or number of ours")
    elif isinstance(data, int) and not -(2**63) <= data < 2**63:
        raise ValueError(f"{shown(data)} is no number of ours")


def require_length(found: Sized | None, length: int, where: str) -> None:
    """StudyError unless there is nothing, or exactly one for each of so many."""
    if found is not None and len(found) != length:
        raise StudyError(f"{where}: {len(found)} values, the study has {length} generators; {CHANGED}")


UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """StudyError for what Python, Optuna or pydantic raise inside over data that nobody should have written."""
    try:
        yield
    except ColganError:
        raise
    except UNREADABLE as error:
        text = " ".join(str(error).split())
        what = f"{type(error).__name__}: {text[:SHOWN]}"
        raise StudyError(f"{where}: cannot be read ({what}); {CHANGED}") from error


def shown(value: object) -> str:
    """The value as Python writes it, without a control character, and not too long."""
    try:
        text = ascii(value[:SHOWN] if isinstance(value, (str, bytes)) else value)
    except (ValueError, RecursionError):  # a number of too many digits, lists in lists in lists
        return f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
