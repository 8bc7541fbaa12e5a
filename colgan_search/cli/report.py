"""`report`: a study in one file to be sent to somebody."""

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search report --study digits --out digits.html"


class Form(str, Enum):
    """What a report can be."""

    html = "html"
    markdown = "markdown"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Its file; else report.html in the study's folder.", show_default=False)
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="html or markdown.")] = Form.html,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Write a report: the winner with its interval and the baselines, the best graphs, what matters, faults, cost.

    HTML is one file that can be sent: all pictures are in it, and it asks nothing of any network. Markdown has its
    pictures in a folder beside it. Without a confirmation it says that nothing is confirmed.
    """
    from colgan_search.api.reporting import report

    file = report(study, out=out, form=form.value, storage=storage, work_dir=work_dir, say=console.note)
    console.out(json.dumps({"report": str(file)}) if as_json else str(file))
