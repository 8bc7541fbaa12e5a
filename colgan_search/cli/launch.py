"""`launch`: a parallel search on this machine, with a live view."""

from typing import Annotated

import typer

from colgan_search import logs
from colgan_search.cli import console, options, show
from colgan_search.cli.configs import of_config, overridden
from colgan_search.config import load_config
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search launch --config digits --trials 12"


def command(
    config: options.Config = "cifar10",
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", help="The study's total number of results; more extends it.", min=1, max=options.MAX_TRIALS
        ),
    ] = None,
    study: options.Study = None,
    storage: options.Storage = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="Worker processes, else one per GPU, or per core without a GPU; 0 = only make the study.",
            min=0,
        ),
    ] = None,
    device: options.Device = None,
    reuse: Annotated[
        list[str] | None,
        typer.Option(
            "--reuse",
            help="Take over what another study of the database has measured in the same way, beside the budget; may be "
            "given again.",
        ),
    ] = None,
    on: Annotated[
        str, typer.Option("--on", help="Who starts the workers: local, or a launcher of a package.")
    ] = "local",
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    skip_broken: options.SkipBroken = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
) -> int:
    """Begin or resume a search: one worker per GPU, until the study has its total of trials.

    Without --config it is the paper's Table 3 search on CIFAR-10. The same command again resumes; Ctrl-C drains
    (checkpoints, then ends), a second Ctrl-C ends at once.
    """
    logs.set_up()
    settings = overridden(
        load_config(config),
        ("--data-root", "data.root", data_root),
        ("--weights", "evaluation.weights", weights),
        ("--skip-broken", "data.skip_broken", skip_broken or None),
    )

    from colgan_search.api.launching import LaunchRequest, prepare_launch
    from colgan_search.cli import watch  # here: it knows the database

    request = LaunchRequest(settings, trials, study, storage, work_dir, workers, device, on, reuse=tuple(reuse or ()))
    with of_config(config, settings):
        launched = prepare_launch(request, say=console.note)
    opened = launched.study
    if opened.slots.budget().finished:
        console.note(f"study {opened.name} is done: {opened.slots.budget().done} trials; nothing to do")
        show.best(opened, work_dir)
        return 0
    if not launched.devices:
        console.note(
            f"study {opened.name}: {opened.slots.budget().total} trials in {opened.storage.name}, no workers here; "
            f"start them anywhere: colgan-search worker --study {opened.name}"
        )
        return 0
    console.note(
        f"study {opened.name}: {opened.slots.budget().total} trials in {opened.storage.name}, "
        f"{len(launched.devices)} workers on {', '.join(sorted(set(launched.devices)))}"
    )
    ended = watch.until_done(opened, launched.start_workers())
    ended.require_finished()
    console.note(f"study {opened.name} is done: {opened.slots.budget().done} trials")
    show.best(opened, work_dir)
    return 0
