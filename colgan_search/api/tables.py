"""Rows of a study as files that other programs read: CSV, and Parquet with pyarrow."""

import csv
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from colgan_search.errors import DataError
from colgan_search.files import atomic_path

WITHOUT_PYARROW = "Parquet needs pyarrow: pip install 'colgan-search[parquet]'; CSV and JSON need nothing more"


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, type]) -> str:
    """The rows with a line of names above; None as nothing. Without the last line's end."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(columns), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _text(value) for name, value in row.items()} for row in rows)
    return buffer.getvalue().rstrip("\n")


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(value)


def write_parquet(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, type], out: Path | None) -> None:
    """The rows as a Parquet file, or (None) on standard output, where that is no terminal.

    The columns keep their types with no row as well. DataError without pyarrow.
    """
    if out is None and sys.stdout.isatty():
        raise DataError("Parquet is no text: name a file with `out`, or send the output into one")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DataError(WITHOUT_PYARROW) from None
    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    # Times are texts to CSV, and moments to who reads Parquet.
    moments = {name: pyarrow.timestamp("ms", tz="UTC") for name in ("started", "finished") if name in columns}
    arrays = {}
    for name, kind in columns.items():
        array = pyarrow.array([row.get(name) for row in rows], type=kinds[kind])
        arrays[name] = array.cast(moments[name]) if name in moments else array
    table = pyarrow.table(arrays)
    if out is None:
        pyarrow.parquet.write_table(table, sys.stdout.buffer)
        return
    with atomic_path(out) as temporary:
        pyarrow.parquet.write_table(table, temporary)
