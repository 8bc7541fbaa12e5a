"""`dashboard`: optuna-dashboard on the study's storage."""

from pathlib import Path
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search dashboard --port 8080"


def command(
    storage: options.Storage = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on, 0 for any free one.", min=0, max=65535)
    ] = 8080,
    writable: Annotated[
        bool, typer.Option("--writable", help="Let it change studies and delete them; else it only shows.")
    ] = False,
    password_file: Annotated[
        Path | None,
        typer.Option(
            "--password-file",
            help="Ask for the password in this file's first line; or in COLGAN_DASHBOARD_PASSWORD. Any user name does.",
        ),
    ] = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
) -> None:
    """Serve optuna-dashboard until Ctrl-C. It only shows, and answers this machine only, unless told otherwise.

    For others (--host 0.0.0.0) a password is required. Requests that pages of other sites send are refused.
    """
    from colgan_search.api.serving import (  # here: it knows Optuna
        DashboardRequest,
        check_dashboard,
        read_password,
        serve_dashboard,
    )
    from colgan_search.api.work_and_storage import opened_storage, work_folder

    request = DashboardRequest(host, port, writable, read_password(password_file))
    check_dashboard(request)
    with opened_storage(storage, work_folder(work_dir), writing=writable) as opened:
        serve_dashboard(opened, request, console.note)
