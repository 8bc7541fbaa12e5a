"""`drain`: the workers of a study leave, wherever they are."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search drain --study cifar10 --wait"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when no worker is at work any more.")] = False,
    lift: Annotated[bool, typer.Option("--lift", help="Take it back: workers may work on the study again.")] = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Ask all workers of a study, on whatever machine, to checkpoint, give their trial back and leave.

    Workers that are started later leave at once, until `launch` of the study, or --lift, lets them work again.
    """
    from colgan_search.api.draining import DrainRequest, drain  # here: it knows the database

    said = -1

    def look(workers: int) -> None:
        nonlocal said
        if workers != said:
            console.note(f"{workers} workers are at work")
            said = workers

    drained = drain(DrainRequest(study, storage, work_dir, lift, wait), look)
    if as_json:
        console.out(json.dumps(asdict(drained)))
    elif drained.lifted:
        console.out(f"study {drained.study}: its workers may work again")
    elif drained.workers:
        console.out(
            f"study {drained.study}: {drained.workers} workers are asked to drain; "
            f"they have left after {drained.seconds:.0f} s at most"
        )
    else:
        console.out(f"study {drained.study}: no worker is at work, and those that come leave at once")
