"""`dashboard`: optuna-dashboard on the study's storage."""

from typing import Annotated

import typer

from colgan_search import api
from colgan_search.cli import console, options

EXAMPLE = "colgan-search dashboard --port 8080"


def command(
    storage: options.Storage = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on, 0 for any free one.", min=0, max=65535)
    ] = 8080,
    work_dir: options.WorkDir = api.DEFAULT_WORK_DIR,
) -> None:
    """Serve optuna-dashboard until Ctrl-C. It has no login: whoever reaches it can change or delete studies."""
    with api.opened_storage(storage, api.work_folder(work_dir)) as opened:
        api.serve_dashboard(opened, host, port, console.note)
