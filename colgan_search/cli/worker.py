"""`worker`: attaches one worker process to a study, from any machine."""

import logging
import os
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from colgan_search import logs
from colgan_search.cli import console, options
from colgan_search.cli.cluster_options import Checkpoints
from colgan_search.cli.configs import named
from colgan_search.config import load_config
from colgan_search.file_names import DEFAULT_WORK_DIR
from colgan_search.signals import stop_asked

log = logging.getLogger(__name__)

EXAMPLE = "COLGAN_STORAGE=postgresql://USER:PASSWORD@HOST/DATABASE colgan-search worker --study cifar10"


def command(
    study: Annotated[str, typer.Option("--study", help="The study's name.")],
    storage: options.Storage = None,
    config: Annotated[
        str | None, typer.Option("--config", help="Refuse to work unless the study has exactly this config.")
    ] = None,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", help="The rotating file of events, else logs/ in the study's folder.")
    ] = None,
    wait_for_database: Annotated[
        float,
        typer.Option("--wait-for-database", min=0.0, help="Minutes to wait for a database that does not answer yet."),
    ] = 0.0,
    checkpoints: Checkpoints = None,
    left_code: Annotated[
        int,
        typer.Option(
            "--left-code",
            min=0,
            max=255,
            help="Exit code when a signal has asked it to leave before the study is done, for schedulers that take 0 "
            "for the study's end.",
        ),
    ] = 0,
    leave_with_parent: Annotated[bool, typer.Option("--leave-with-parent", hidden=True)] = False,
    shares_gpu: Annotated[bool, typer.Option("--shares-gpu", hidden=True)] = False,
) -> int:
    """Work on a study until it has all its trials: everything else is in the database.

    SIGTERM, SIGINT and SIGUSR2 drain: the trial is checkpointed and given back. A second SIGINT ends at once.
    """
    from colgan_search.api.working import WorkRequest, work

    logs.set_up(log_file, terminal=not leave_with_parent, as_json=as_json)
    signalled = threading.Event()
    drain = stop_asked(first=signalled.set, again=lambda: os._exit(130))
    if leave_with_parent:
        threading.Thread(target=_drain_when_parent_is_gone, args=(drain,), daemon=True).start()
    settings = None if config is None else load_config(config)
    request = WorkRequest(
        study,
        storage,
        work_dir,
        device,
        settings,
        data_root,
        weights,
        wait_for_database,
        checkpoints,
        keep_log=log_file is None,
        shares_gpu=shares_gpu,
    )
    with named(f"study {study!r}"):
        worked = work(request, drain)
    how = "the study is done" if worked.finished else "drained"
    said = f"{how}; {worked.accepted} results of this worker"
    if as_json:
        log.info(said)
    elif not leave_with_parent:
        console.note(said)
    return left_code if signalled.is_set() and not worked.finished else 0


def _drain_when_parent_is_gone(drain: threading.Event) -> None:
    """`launch` holds the other end of our standard input: it ends when `launch` does, killed or not."""
    # Unbuffered: a thread inside a buffered read aborts the interpreter when it ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    drain.set()
