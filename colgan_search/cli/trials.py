"""`trials`: all trials of a study as a table, CSV, JSON or Parquet."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options, show, show_ranking
from colgan_search.file_names import DEFAULT_WORK_DIR
from colgan_search.files import write_text
from colgan_search.records import score_text

EXAMPLE = "colgan-search trials --study digits --format csv > trials.csv"


class Format(str, Enum):
    """How the trials are written."""

    table = "table"
    csv = "csv"
    json = "json"
    parquet = "parquet"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    form: Annotated[
        Format, typer.Option("--format", help="table, csv, json or parquet (with pyarrow).")
    ] = Format.table,
    out: Annotated[Path | None, typer.Option("--out", help="A file for it instead of standard output.")] = None,
    graphs: Annotated[
        bool, typer.Option("--graphs", help="One row per graph up to relabelling, the best by the model first.")
    ] = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """List every trial: graph, state, score of each generator, seed, seconds, worker.

    With --graphs every graph instead: its estimate, how many runs stand behind it, their mean and standard error.
    CSV and Parquet have one column for each generator's score (is_mean_G1, ...); all times are UTC.
    """
    from colgan_search.api.doubts import doubt
    from colgan_search.api.tables import csv_text, write_parquet
    from colgan_search.api.work_and_storage import opened_study, output_file, work_folder
    from colgan_search.search.ranking import estimates
    from colgan_search.search.study import results, trial_table

    if out is not None:
        output_file(out)
    with opened_study(storage, work_folder(work_dir), study, writing=False) as opened:
        records = results.trials(opened)
        ranking = estimates.rank(records, opened.config) if graphs else None
        columns = estimates.columns(opened.config) if graphs else trial_table.columns(opened, records)
        poor, objective = doubt(opened), opened.config.objective
    if poor is not None:
        # Above a table, and beside what another program reads.
        (console.out if form is Format.table and not as_json else console.note)(show.doubt_line(poor))
    found = () if ranking is None else ranking.graphs
    rows = [one.as_row() for one in found] if graphs else [trial_table.row(record) for record in records]
    if form is Format.parquet:
        write_parquet(rows, columns, out)
    elif as_json or form is Format.json:
        _print(json.dumps([one.as_dict() for one in (found if graphs else records)]), out)
    elif form is Format.csv:
        _print(csv_text(rows, columns), out)
    elif graphs:
        show_ranking.graphs(found, objective)
    else:
        of_each = f"{objective.label} of G1, G2, ..."
        roles = ["run for"] if any(record.role for record in records) else []
        table = Table("trial", "state", *roles, objective.words, of_each, "best", "seconds", "graph", box=None)
        for record in records:
            table.add_row(
                str(record.number),
                record.state_words,
                *([console.optional(record.role)] if roles else []),
                show.value_text(record, 3),
                ", ".join(score_text(score) for score in record.of(objective.number) or ()),
                console.optional(record.best_generator),
                f"{record.seconds:.1f}" if record.seconds is not None else "",
                console.optional(record.graph),
            )
        console.console().print(table)


def _print(text: str, out: Path | None) -> None:
    if out is None:
        console.out(text)
    else:
        write_text(out, text + "\n")
