"""`trials`: all trials of a study as a table, CSV or JSON."""

import csv
import io
import json
from enum import Enum
from typing import Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options, show
from colgan_search.file_names import DEFAULT_WORK_DIR
from colgan_search.records import score_text

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
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """List every trial: graph, state, score of each generator, seed, seconds, worker."""
    from colgan_search.api.doubts import doubt
    from colgan_search.api.work_and_storage import opened_study, work_folder
    from colgan_search.search.study import results

    with opened_study(storage, work_folder(work_dir), study, writing=False) as opened:
        records = results.trials(opened)
        poor, objective = doubt(opened), opened.config.objective
    if poor is not None:
        # Above a table, and beside what another program reads.
        (console.out if form is Format.table and not as_json else console.note)(show.doubt_line(poor))
    if as_json or form is Format.json:
        console.out(json.dumps([record.as_dict() for record in records]))
    elif form is Format.csv:
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, results.columns(records), restval="", lineterminator="\n")
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
                record.state_words,
                show.value_text(record, 3),
                ", ".join(score_text(score) for score in record.of(objective.number) or ()),
                console.optional(record.best_generator),
                f"{record.seconds:.1f}" if record.seconds is not None else "",
                console.optional(record.graph),
            )
        console.console().print(table)
