"""`best`: the best graph of a study."""

import json
from pathlib import Path
from typing import Annotated

import typer

from colgan_search import api
from colgan_search.cli import console, options, show

EXAMPLE = "colgan-search best --study digits --picture best.svg"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the graph here (.png, .svg or .pdf), not in the work folder.")
    ] = None,
    work_dir: options.WorkDir = api.DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Show the graph with the highest inception score: in words, as JSON, as a picture, with every generator's IS."""
    with api.opened_study(storage, api.work_folder(work_dir), study) as opened:
        if not as_json:
            show.best(opened, work_dir, picture)
            return
        record = api.best(opened)
        files = show.draw_best(opened, record, work_dir, picture)
        data = {
            "study": opened.name,
            **record.as_dict(),
            "graph_json": api.best_graph(record).to_json(),
            "pictures": [str(path) for path in files],
        }
        console.out(json.dumps(data))
