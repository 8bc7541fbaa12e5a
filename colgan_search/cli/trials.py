"""`trials`: all trials of a study as a table, CSV or JSON."""

import csv
import io
import json
from enum import Enum
from typing import Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options, show, show_ranking
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
    graphs: Annotated[
        bool, typer.Option("--graphs", help="One row per graph up to relabelling, the best by the model first.")
    ] = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """List every trial: graph, state, score of each generator, seed, seconds, worker.

    With --graphs every graph instead: its estimate, how many runs stand behind it, their mean and standard error.
    """
    from colgan_search.api.doubts import doubt
    from colgan_search.api.work_and_storage import opened_study, work_folder
    from colgan_search.search.ranking.estimates import COLUMNS, rank
    from colgan_search.search.study import results

    with opened_study(storage, work_folder(work_dir), study, writing=False) as opened:
        records = results.trials(opened)
        ranking = rank(records, opened.config) if graphs else None
        poor, objective = doubt(opened), opened.config.objective
    if poor is not None:
        # Above a table, and beside what another program reads.
        (console.out if form is Format.table and not as_json else console.note)(show.doubt_line(poor))
    found = () if ranking is None else ranking.graphs
    if as_json or form is Format.json:
        console.out(json.dumps([one.as_dict() for one in (found if graphs else records)]))
    elif form is Format.csv and graphs:
        _csv([one.as_row() for one in found], list(COLUMNS))
    elif form is Format.csv:
        _csv([record.as_row() for record in records], results.columns(records))
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


def _csv(rows: list[dict[str, str]], columns: list[str]) -> None:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    console.out(buffer.getvalue().rstrip("\n"))
