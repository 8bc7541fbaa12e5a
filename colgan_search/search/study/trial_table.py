"""Trials as rows of a table: one column per score, for CSV and Parquet."""

import json
from collections.abc import Iterable
from typing import Any

from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord

COLUMNS: dict[str, type] = {
    **dict.fromkeys(("number",), int),
    "state": str,
    "value": float,
    **dict.fromkeys(("graph", "best_generator", "seed"), str),
    "seconds": float,
    **dict.fromkeys(("worker", "diverged", "started", "finished", "protocol"), str),
    "classifier_accuracy": float,
    "cut": str,
    "interim": float,
    "reused_from": str,
}
"""The columns of a table of trials in any case, and what they hold; those of scores come behind `best_generator`."""

IN_ANY_CASE = ("is_mean", "is_std", "fid")
"""Scores that have their columns also where they were not measured."""


def columns(study: OpenStudy, records: Iterable[TrialRecord]) -> dict[str, type]:
    """The columns of a table of the study's trials (`row`), and what they hold."""
    records = list(records)
    measured = [name for record in records if record.scores is not None for name in record.scores.arrays()]
    generators = range(1, study.config.k + 1)
    scores = [f"{name}_G{number}" for name in dict.fromkeys([*IN_ANY_CASE, *measured]) for number in generators]
    found: dict[str, type] = {}
    for name, kind in COLUMNS.items():
        found[name] = kind
        if name == "best_generator":
            found |= dict.fromkeys(scores, float)
    return found | ({"role": str} if any(record.role is not None for record in records) else {})


def row(record: TrialRecord) -> dict[str, Any]:
    """A trial for a table: as its `as_dict`, with one column for each generator's score (`is_mean_G1`, ...);
    what has fields of its own as JSON."""
    row = record.as_dict()
    arrays = {} if record.scores is None else record.scores.arrays()
    for name in {*IN_ANY_CASE, *arrays}:
        row.pop(name, None)
    for name, scores in arrays.items():
        row |= {f"{name}_G{number}": score for number, score in enumerate(scores, start=1)}
    return {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row.items()}
