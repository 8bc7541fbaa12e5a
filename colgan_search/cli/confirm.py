"""`confirm`: the leading graphs of a search race with new seeds; the winner with its interval."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from colgan_search import logs
from colgan_search.cli import cluster_options, console, options, show_confirmed
from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.confirming import ConfirmRequest

EXAMPLE = "colgan-search confirm --study digits --top 5 --seeds 10"


def command(
    study: Annotated[
        str | None,
        typer.Option("--study", help="The search, or a confirmation to go on with; else the only search."),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", help="Leading graphs that race; 5 unless told.")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", help="Runs of the winner, after it is named, and of each baseline; 10. At most TOP x SEEDS."
        ),
    ] = None,
    until: Annotated[
        float | None,
        typer.Option("--until", help="The race ends when the leader is the best with this probability; 0.95."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Train for so long instead of the search's.")] = None,
    baselines: Annotated[
        bool | None,
        typer.Option("--baselines/--no-baselines", help="MAD-GAN, all through and one DCGAN beside; yes unless told."),
    ] = None,
    storage: options.Storage = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="Worker processes, as with launch; 0 = only make the studies.", min=0),
    ] = None,
    device: options.Device = None,
    on: cluster_options.On = None,
    config: cluster_options.ClusterOf = None,
    set_: cluster_options.SetCluster = None,
    out: cluster_options.Out = None,
    dry_run: cluster_options.DryRun = False,
    gpus: cluster_options.Gpus = None,
    minutes: cluster_options.Minutes = None,
    partition: cluster_options.Partition = None,
    account: cluster_options.Account = None,
    image: cluster_options.Image = None,
    namespace: cluster_options.Namespace = None,
    line: cluster_options.Line = None,
    checkpoints: cluster_options.Checkpoints = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> int:
    """Train a search's leading graphs again with new seeds: the winner, with an interval, against the baselines.

    A race decides which graph gets the next run, until the leader is separated or the budget is used. The winner's
    interval is of runs that begin after it is named. The same command resumes; Ctrl-C drains. With --on a scheduler
    starts the workers, of one study after the other, and Ctrl-C only ends the view.
    """
    logs.set_up()
    cluster = cluster_options.section(
        config,
        on,
        set_,
        line,
        gpus=gpus,
        minutes=minutes,
        partition=partition,
        account=account,
        image=image,
        namespace=namespace,
        checkpoints=checkpoints,
    )
    from colgan_search.api.confirming import ConfirmRequest

    request = ConfirmRequest(
        study,
        top,
        seeds,
        epochs,
        until,
        baselines,
        storage,
        work_dir,
        workers,
        device,
        cluster=cluster,
        out=out,
        data_root=data_root,
        weights=weights,
    )
    return confirm(request, as_json=as_json, dry_run=dry_run)


def confirm(request: "ConfirmRequest", *, as_json: bool = False, dry_run: bool = False) -> int:
    """Runs a confirmation to its end and prints its answer; with `dry_run` it only writes a scheduler's files."""
    from colgan_search.api.confirming import confirming
    from colgan_search.cli import watch  # here: it knows the database

    with confirming(request, say=console.note) as confirmation:
        for launched in confirmation.launched():
            opened, budget = launched.study, launched.study.slots.budget()
            if budget.finished:
                console.note(f"study {opened.name} is done: {budget.done} trials")
            elif not launched.devices:
                console.note(
                    f"study {opened.name}: at most {budget.total} trials, no workers here; "
                    f"start them anywhere: colgan-search worker --study {opened.name}"
                )
            elif dry_run:
                files = [str(file) for file in launched.write_files()]
                console.note(f"written: {', '.join(files) or 'nothing, as workers here need no files'}")
                if files:
                    console.note(f"hand them in: {launched.by_hand}")
            else:
                console.note(f"study {opened.name}: at most {budget.total} trials, {len(launched.devices)} workers")
                watch.until_done(opened, launched.start_workers()).require_finished()
        found = confirmation.answer()
    if as_json:
        console.out(json.dumps(found.as_dict()))
    else:
        show_confirmed.answer(found)
    return 0
