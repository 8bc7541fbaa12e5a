"""A database that somebody else has written to: nasty values for every column and attribute."""

import json
import math
import re
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.database.tables import files, metadata, schema
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from tests.integration import cli_helpers as helpers

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys, but for line ends and tabs."""

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202e[red]x[/red]\r\nerror  forged"

TEXTS: Mapping[str, Any] = {
    "traversal": "../victim",
    "absolute": "/etc/passwd",
    "glob": "*",
    "null": "a\0b",
    "escapes": ESCAPES,
    "a megabyte": "x" * 1_000_000,
    "empty": "",
    "number": 7,
    "bytes": b"\xff\xfe../victim",
}
"""For a column of text."""

NUMBERS: Mapping[str, Any] = {
    "traversal": "../victim",
    "escapes": ESCAPES,
    "negative": -1,
    "huge": 2**62,
    "infinite": math.inf,
    "NaN": math.nan,
}
"""For a column of numbers."""

JSON: Mapping[str, str] = {
    "no JSON": "{",
    "list": "[]",
    "text": json.dumps(ESCAPES),
    "object": '{"a": 1}',
    "null": "null",
    "negative": "-1",
    "NaN": "NaN",
    "infinite": "1e999",
    "too many digits": "9" * 5000,
    "a megabyte": json.dumps("x" * 1_000_000),
    "lists in lists": "[" * 20_000 + "]" * 20_000,
    "half a character": '"\\ud800"',
    "list of NaN": "[NaN, NaN]",
    "list of texts": json.dumps([ESCAPES, "../victim"]),
}
"""For an attribute, or a column that holds JSON."""

LEAVES: tuple[Any, ...] = (ESCAPES, -1, math.nan)
"""Put in the place of each value inside an object."""


@dataclass(frozen=True)
class Change:
    """One nasty value: the statements that put it into the database."""

    name: str
    statements: tuple[tuple[str, tuple[Any, ...]], ...]


NO_TEXT = "CAST(x'2e2e2fff' AS TEXT)"
"""What SQLite calls a text though it is none."""


def make_study(url: str, folder: Path) -> OpenStudy:
    """Two results, a slot that failed, one that is leased on another machine, one that waits; a shared file."""
    config = helpers.small_config(folder, service__max_faults=1)
    study = helpers.fake_study(url, config, total=6, done=2)
    registry = Registry(study.storage, study.uid)
    elsewhere = replace(ProcessId.mine(), host="far", machine="another machine")
    registry.enter(elsewhere, "cpu")
    for reason in ("out of memory", None):
        claim = study.slots.claim(elsewhere.name, 600.0)
        assert claim is not None
        claim = propose.assign(study, claim).claim
        if reason is not None:
            assert study.slots.release(claim, reason, 1)
    registry.update(elsewhere.name, "training", 3, 1, 2, 1.5)
    with study.storage.transaction() as db:
        row = {"uid": study.uid, "name": "classifier-0123456789abcdef.json", "content": b"{}"}
        db.execute(files.insert().values(row))
    return study


def columns(file: Path) -> Iterator[tuple[str, list[Change]]]:
    """Every column of our tables, with every nasty value for it."""
    for table in metadata.sorted_tables:
        for column in table.c:
            if table is schema:
                continue
            texts = isinstance(column.type, (sa.String, sa.LargeBinary))
            values: dict[str, Any] = dict(TEXTS if texts else NUMBERS)
            if column.name in ("process", "faults", "outcome"):
                values |= JSON
            where = f" WHERE {column.name} IS NOT NULL" if column.nullable else ""
            statement = f"UPDATE OR IGNORE {table.name} SET {column.name} = ?{where}"
            yield (
                f"{table.name}.{column.name}",
                [Change(name, ((statement, (value,)),)) for name, value in values.items()],
            )


def insides(file: Path) -> Iterator[tuple[str, list[Change]]]:
    """Every value inside the JSON of our columns, with the nasty ones."""
    for table, column in (("colgan_workers", "process"), ("colgan_slots", "faults"), ("colgan_slots", "outcome")):
        rows = _query(file, f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL AND {column} != '[]'")
        rowid, text = rows[0]
        yield (
            f"inside {table}.{column}",
            [
                Change(name, ((f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid)),))
                for name, changed in _changed(json.loads(text))
            ],
        )


def attributes(file: Path) -> Iterator[tuple[str, list[Change]]]:
    """Every user attribute of the study and of its best trial, whole and inside."""
    for table in ("study_user_attributes", "trial_user_attributes"):
        keys = [key for (key,) in _query(file, f"SELECT DISTINCT key FROM {table} ORDER BY key")]
        for key in keys:
            (text,) = _query(file, f"SELECT value_json FROM {table} WHERE key = ?", key)[0]
            statement = f"UPDATE {table} SET value_json = ? WHERE key = ?"
            changes = dict(JSON)
            data = json.loads(text)
            if key == "config":  # the rest is in its fingerprint
                kept = {name: data[name] for name in ("name", "runtime", "service")}
                changes |= {name: json.dumps({**data, **json.loads(part)}) for name, part in _changed(kept)}
            elif isinstance(data, dict):
                changes |= dict(_changed(data))
            yield f"{table}.{key}", [Change(name, ((statement, (value, key)),)) for name, value in changes.items()]
        yield (
            f"{table}: names of attributes",
            [
                Change(name, ((f"UPDATE OR IGNORE {table} SET key = ? WHERE key = ?", (value, keys[0])),))
                for name, value in TEXTS.items()
            ],
        )


def optunas(file: Path) -> Iterator[tuple[str, list[Change]]]:
    """What Optuna's own tables say of a trial: names and values of parameters, scores, times, states."""
    for table, column, values in (
        ("trial_params", "param_name", TEXTS),
        ("trial_params", "param_value", NUMBERS),
        ("trial_params", "distribution_json", {**TEXTS, **JSON}),
        ("trial_values", "value", NUMBERS),
        ("trial_values", "value_type", TEXTS),
        ("trial_intermediate_values", "intermediate_value", NUMBERS),
        ("trials", "number", NUMBERS),
        ("trials", "state", TEXTS),
        ("trials", "datetime_start", TEXTS),
        ("study_directions", "direction", TEXTS),
        ("study_system_attributes", "value_json", JSON),
    ):
        statement = f"UPDATE OR IGNORE {table} SET {column} = ?"
        yield f"{table}.{column}", [Change(name, ((statement, (value,)),)) for name, value in values.items()]


def apply(file: Path, change: Change) -> bool:
    """Makes the change; False if the database itself refuses it."""
    database = sqlite3.connect(file)
    try:
        for statement, values in change.statements:
            database.execute(statement, values)
        database.commit()
        return True
    except (sqlite3.IntegrityError, OverflowError):
        return False
    finally:
        database.close()


def rename(file: Path, name: str) -> None:
    """The study under another name."""
    apply(file, Change(name, (("UPDATE studies SET study_name = ?", (name,)),)))


def renew_uid(file: Path, uid: str) -> None:
    """The study under another identity, in its attribute and in all our tables."""
    statements: list[tuple[str, tuple[Any, ...]]] = [
        ("UPDATE study_user_attributes SET value_json = ? WHERE key = 'uid'", (json.dumps(uid),))
    ]
    statements += [(f"UPDATE {table.name} SET uid = ?", (uid,)) for table in metadata.sorted_tables if "uid" in table.c]
    assert apply(file, Change("uid", tuple(statements)))


def copied(template: Path, file: Path) -> Path:
    """A fresh copy of the template's file."""
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    shutil.copyfile(template, file)
    return file


def _query(file: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    database = sqlite3.connect(file)
    try:
        return database.execute(statement, values).fetchall()
    finally:
        database.close()


def _changed(data: Any) -> Iterator[tuple[str, str]]:
    """(name, text): the data as JSON with one of its values, at any depth, made nasty; each value is met."""
    for path in _paths(data):
        for number, leaf in enumerate(LEAVES):
            changed = json.loads(json.dumps(data))
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = leaf
            yield f"{'.'.join(map(str, path))} {number}", json.dumps(changed)


def _paths(data: Any) -> Iterator[tuple[Any, ...]]:
    pairs: list[tuple[Any, Any]] = []
    if isinstance(data, dict):
        pairs = list(data.items())
    elif isinstance(data, list):
        pairs = list(enumerate(data[:1]))
    for key, value in pairs:
        yield (key,)
        for rest in _paths(value):
            yield (key, *rest)
