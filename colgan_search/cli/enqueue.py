"""`enqueue`: a graph into a running study."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search enqueue mad-gan --study digits --grow"


def command(
    graph: Annotated[
        str, typer.Argument(help="A graph's text form, a preset's name (see `graphs`), or a file with its JSON.")
    ],
    study: options.Study = None,
    storage: options.Storage = None,
    times: Annotated[
        int, typer.Option("--times", min=1, max=1000, help="So many trainings, each with a seed of its own.")
    ] = 1,
    grow: Annotated[
        bool,
        typer.Option(
            "--grow", help="Raise the study's total by so many; without it they take slots that nobody has begun."
        ),
    ] = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Add a graph of your own to a study, running or not: its next free worker trains it, exactly once.

    It takes one of the slots that the sampler would have filled, so that the study ends with as many results as before;
    with --grow it comes on top of them.
    """
    from colgan_search.api.enqueueing import enqueue

    added = enqueue(graph, study, times=times, grow=grow, storage=storage, work_dir=work_dir)
    if as_json:
        console.out(json.dumps(asdict(added)))
        return
    several = len(added.trials) > 1
    trials = f"trials {added.trials[0]} to {added.trials[-1]}" if several else f"trial {added.trials[0]}"
    how = (
        f"the study's total grew to {added.total:,}"
        if added.grown
        else f"{'they take slots' if several else 'it takes a slot'} of the {added.total:,} that the study ends with"
    )
    console.out(f"{added.graph} waits as {trials} of study {added.study}; {how}")
    if added.grown:
        console.note(f"if nobody works at it any more: `colgan-search worker --study {added.study}`")
