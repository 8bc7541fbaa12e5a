"""`launch`: a parallel search on this machine, with a live view."""

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from colgan_search import logs
from colgan_search.cli import cluster_options, console, options, show
from colgan_search.cli.configs import of_config, overridden, set_by
from colgan_search.config import load_config
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.launching import LaunchRequest
    from colgan_search.search.study.opening import OpenStudy

EXAMPLE = "colgan-search launch --config digits --trials 12"


def command(
    config: options.Config = "cifar10",
    set_: options.Set = None,
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
    workers_per_gpu: Annotated[
        str | None,
        typer.Option(
            "--workers-per-gpu",
            help="Workers that share each GPU: a number, or auto: as many as its memory takes, measured in the first "
            "trial.",
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
    on: cluster_options.On = None,
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
    skip_broken: options.SkipBroken = False,
    then_confirm: Annotated[
        bool, typer.Option("--confirm", help="Then train its leading graphs again, as `confirm` does.")
    ] = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
) -> int:
    """Begin or resume a search: one worker per GPU, until the study has its total of trials.

    Without --config it is the paper's Table 3 search on CIFAR-10. The same command again resumes; Ctrl-C drains
    (checkpoints, then ends), a second Ctrl-C ends at once. With --on a scheduler starts the workers, and Ctrl-C only
    ends the view.
    """
    logs.set_up()
    settings = overridden(
        set_by(cluster_options.on_cluster(load_config(config), on), set_),
        ("--data-root", "data.root", data_root),
        ("--weights", "evaluation.weights", weights),
        ("--skip-broken", "data.skip_broken", skip_broken or None),
    )
    settings = cluster_options.with_cluster(
        settings,
        line,
        gpus=gpus,
        minutes=minutes,
        partition=partition,
        account=account,
        image=image,
        namespace=namespace,
        checkpoints=checkpoints,
    )

    from colgan_search.api.launching import LaunchRequest, prepare_launch
    from colgan_search.api.launching_unseen import write_unseen
    from colgan_search.cli import last_moments, watch  # here: they know the database

    request = LaunchRequest(
        settings,
        trials,
        study,
        storage,
        work_dir,
        workers,
        device,
        reuse=tuple(reuse or ()),
        out=out,
        workers_per_gpu=workers_per_gpu,
    )
    with of_config(config, settings):
        if (unseen := write_unseen(request)) is not None:
            console.note(f"written: {', '.join(map(str, unseen.written))}")
            seen = f"hand them in: {unseen.by_hand}" if dry_run else f"handed in; seen with: {unseen.hand_in()}"
            console.note(seen)
            return 0
        launched = prepare_launch(request, say=console.note)
    opened = launched.study
    if opened.slots.budget().finished:
        console.note(f"study {opened.name} is done: {opened.slots.budget().done} trials; nothing to do")
        return _shown(opened, request, then_confirm)
    if not launched.devices:
        console.note(
            f"study {opened.name}: {opened.slots.budget().total} trials in {opened.storage.name}, no workers here; "
            f"start them anywhere: colgan-search worker --study {opened.name}"
        )
        if then_confirm:
            console.note(f"nothing is confirmed before it is done; then: {_confirm_command(opened, request)}")
        return 0
    if dry_run:
        files = [str(file) for file in launched.write_files()]
        console.note(f"written: {', '.join(files) or 'nothing, as workers here need no files'}")
        if files:
            console.note(f"hand them in: {launched.by_hand}")
        return 0
    console.note(
        f"study {opened.name}: {opened.slots.budget().total} trials in {opened.storage.name}, "
        f"{len(launched.devices)} workers on {', '.join(sorted(set(launched.devices)))}"
    )
    started = launched.start_workers()
    last = last_moments.LastMoments(started, last_moments.load_best, lambda: last_moments.compute_best(opened))
    ended = watch.until_done(opened, started, last.look)
    ended.require_finished()
    console.note(f"study {opened.name} is done: {opened.slots.budget().done} trials")
    return _shown(opened, request, then_confirm)


def _shown(study: "OpenStudy", request: "LaunchRequest", then_confirm: bool) -> int:
    """A finished study's best graph; then its leading graphs are confirmed, or that is offered."""
    show.best(study, request.work_dir)
    study.storage.close()  # `confirm` opens the same SQLite file, which must not be open twice
    if not SAMPLERS.get(request.config.search.sampler).searches:
        return 0
    if not then_confirm:
        console.note(f"its leading graphs again, with new seeds: {_confirm_command(study, request)}")
        return 0
    from colgan_search.api.confirming import ConfirmRequest
    from colgan_search.cli.confirm import confirm

    config = request.config
    return confirm(
        ConfirmRequest(
            study.name,
            storage=request.storage,
            work_dir=request.work_dir,
            workers=request.workers,
            device=request.device,
            cluster=config.cluster,
            data_root=config.data.root,
            weights=config.evaluation.weights,
        )
    )


def _confirm_command(study: "OpenStudy", request: "LaunchRequest") -> str:
    """As it can be typed. What this launch was told of files holds for it alone, so the command names them again."""
    from colgan_search.api.own_files import options_for

    words = ["colgan-search", "confirm", "--study", study.name]
    if request.storage is not None:
        words += ["--storage", study.storage.name]  # without its password
    if request.work_dir != DEFAULT_WORK_DIR:
        words += ["--work-dir", str(request.work_dir)]
    cluster = request.config.cluster
    if request.workers is not None and cluster.kind != "local":
        cluster = cluster.model_copy(update={"workers": request.workers})
    return shlex.join([*words, *cluster_options.words(cluster), *options_for(request.config)])
