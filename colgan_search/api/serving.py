"""`dashboard`: optuna-dashboard's own web application on a study's storage."""

import signal
import socketserver
import threading
from collections.abc import Callable
from types import FrameType
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna_dashboard

from colgan_search.errors import BadInput
from colgan_search.search.storage import Storage

LOCAL = ("127.0.0.1", "localhost", "::1")


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread per request, so that one slow page does not stop the others."""

    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: the dashboard polls all the time."""


def serve_dashboard(storage: Storage, host: str, port: int, say: Callable[[str], None]) -> None:
    """Serves until SIGINT or SIGTERM. BadInput if the address cannot be had."""
    application = optuna_dashboard.wsgi(storage.optuna)
    try:
        server = make_server(host, port, application, server_class=_Server, handler_class=_QuietHandler)
    except OSError as error:
        raise BadInput(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port or --host") from None
    except OverflowError:
        raise BadInput(f"--port {port} is not allowed: 0 to 65535") from None
    if host not in LOCAL:
        say(f"warning: the dashboard has no login, and {host} may be reached by others, who can delete studies")

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    say(f"dashboard of {storage.name}: http://{host}:{server.server_port}/ (Ctrl-C ends it)")
    with server:
        server.serve_forever()
