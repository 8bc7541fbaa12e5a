"""`trials`: all trials of a study as a table, CSV or JSON."""

import csv
import io
import json
from enum import Enum
from typing import Annotated

import typer
from rich.table import Table

from colgan_search import api
from colgan_search.cli import console, options, show

EXAMPLE = "colgan-search trials --study digits --format csv > trials.csv"


class Format(str, Enum):
    """How the trials are written."""

    table = "table"
    csv = "csv"
    json = "json"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    form: Annotated[Format, typer.Option("--format", help="table, csv or json.")] = Format.table,
    work_dir: options.WorkDir = api.DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """List every trial: graph, state, score of each generator, seed, seconds, worker."""
    with api.opened_study(storage, api.work_folder(work_dir), study, writing=False) as opened:
        records = api.trials(opened)
        doubt, objective = api.doubt(opened), opened.config.objective
    if doubt is not None:
        # Above a table, and beside what another program reads.
        (console.out if form is Format.table and not as_json else console.note)(show.doubt_line(doubt))
    if as_json or form is Format.json:
        console.out(json.dumps([record.as_dict() for record in records]))
    elif form is Format.csv:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, api.columns(records), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(record.as_row() for record in records)
        console.out(buffer.getvalue().rstrip("\n"))
    else:
        table = Table(
            "trial", "state", objective.words, f"{objective.label} of G1, G2, ...", "best", "seconds", "graph", box=None
        )
        for record in records:
            table.add_row(
                str(record.number),
                "diverged" if record.diverged else record.state,
                f"{record.value:.3f}" if record.value is not None else "",
                ", ".join(f"{score:.2f}" for score in record.of(objective.number) or ()),
                console.optional(record.best_generator),
                f"{record.seconds:.1f}" if record.seconds is not None else "",
                console.optional(record.graph),
            )
        console.console().print(table)
