"""`copy`: a study into another database."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search copy --study cifar10 --storage sqlite:///colgan_work/studies.db --to postgresql://HOST/colgan"
TRIALS_PER_LINE = 100


def command(
    to: Annotated[
        str,
        typer.Option(
            "--to",
            envvar="COLGAN_STORAGE_TO",
            help="The other database, in the forms of --storage. A password is safer in COLGAN_STORAGE_TO.",
        ),
    ],
    study: options.Study = None,
    storage: options.Storage = None,
    name: Annotated[str | None, typer.Option("--name", help="The copy's name; without it the study's.")] = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Copy a study into another database, SQLite or PostgreSQL: to back it up, or to go on there with the same budget.

    All its workers must have been drained. The original stays as it is.
    """
    from colgan_search.api.copying import CopyRequest, copy  # here: it knows the database

    def on_trial(done: int, total: int) -> None:
        if done == total or done % TRIALS_PER_LINE == 0:
            console.note(f"{done} of {total} trials copied")

    copied = copy(CopyRequest(to, storage, study, name, work_dir), on_trial)
    if as_json:
        console.out(json.dumps(asdict(copied)))
        return
    console.out(
        f"study {copied.name} is now in {copied.storage}: {copied.trials} trials, {copied.budget.done} of "
        f"{copied.budget.total} results; to go on there, start workers with that storage and this work folder"
    )
