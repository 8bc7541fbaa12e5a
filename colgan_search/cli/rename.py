"""`rename`: another name for a study."""

import json
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search rename digits digits-first-try"


def command(
    old: Annotated[str, typer.Argument(help="The study's name.")],
    new: Annotated[str, typer.Argument(help="Its new name: letters, digits, '.', '_' and '-'.")],
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Give a study another name, and its confirmations and its folder in the work folder with it.

    All its workers must have been drained. Folders of other machines are to be renamed by hand.
    """
    from colgan_search.api.study_keeping import rename

    renamed = rename(old, new, storage=storage, work_dir=work_dir)
    if as_json:
        console.out(json.dumps({"names": renamed.names, "folders": renamed.folders}))
        return
    for before, after in renamed.names.items():
        folder = "; its folder too" if after in renamed.folders else ""
        console.out(f"study {before} is now {after}{folder}")
    console.note("other machines' work folders keep the old name: rename them before a worker goes on there")
