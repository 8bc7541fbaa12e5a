"""`dashboard`: optuna-dashboard's own web application on a study's storage, guarded."""

import os
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from colgan_search import logs
from colgan_search.api.guarding import USER, Guard, is_local
from colgan_search.errors import BadInput
from colgan_search.search.database.storage import Storage
from colgan_search.signals import stop_asked

PASSWORD_VARIABLE = "COLGAN_DASHBOARD_PASSWORD"
SHORTEST_PASSWORD = 8


@dataclass(frozen=True)
class DashboardRequest:
    """Where to listen, and what visitors may do. `password` None = none is asked for: on this machine only."""

    host: str = "127.0.0.1"
    port: int = 8080
    writable: bool = False
    password: str | None = None


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per request, so that one slow page does not stop the others."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the dashboard polls all the time."""


def read_password(file: Path | None) -> str | None:
    """The first line of `file`, else COLGAN_DASHBOARD_PASSWORD; None for neither. BadInput if it is no password."""
    given = os.environ.get(PASSWORD_VARIABLE) or None
    if file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                given = lines.readline(1000).rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"--password-file {file}: cannot be read: {error}") from None
    if given is not None and len(given) < SHORTEST_PASSWORD:
        where = PASSWORD_VARIABLE if file is None else f"--password-file {file}: its first line"
        raise BadInput(f"{where} is no password: at least {SHORTEST_PASSWORD} characters")
    logs.hide(given)
    return given


def check_dashboard(request: DashboardRequest) -> None:
    """BadInput if others could reach the dashboard without a password."""
    if not is_local(request.host) and request.password is None:
        raise BadInput(
            f"--host {request.host} can be reached by others: give a password with --password-file or "
            f"{PASSWORD_VARIABLE}, or keep 127.0.0.1 and come through `ssh -L`"
        )


def serve_dashboard(storage: Storage, request: DashboardRequest, say: Callable[[str], None]) -> None:
    """Serves until a signal asks to stop. BadInput if the address cannot be had, or needs a password."""
    from colgan_search.api.picture_stores import other_stores
    from colgan_search.search.care.dashboard import (
        dashboard_application,  # here: a missing password is told without waiting for it
    )

    check_dashboard(request)
    host, port = request.host, request.port
    application = Guard(dashboard_application(storage, other_stores(storage, say)), request.password, request.writable)
    try:
        server = make_server(host, port, application, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port or --host") from None
    except OverflowError:
        raise BadInput(f"--port {port} is not allowed: 0 to 65535") from None
    if not is_local(host):
        say("warning: there is no TLS: whoever listens on the network reads the password; `ssh -L` or a proxy is safer")

    stop_asked(threading.Thread(target=server.shutdown).start)
    can = "can change and delete" if request.writable else "only shows; --writable lets it change"
    say(f"dashboard of {storage.name}: http://{host}:{server.server_port}/ (it {can}; Ctrl-C ends it)")
    if request.password is not None:
        say(f"it asks for the password; the user name is any, {USER} say")
    with server:
        server.serve_forever()
