"""A local HTTP server that behaves or does not."""

import hashlib
import http.server
import socket
import struct
import threading
from typing import Any

from colgan_search.downloading import Remote

CONTENT = bytes(range(256)) * 2000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; the first part of the path says how: /good/NAME, /truncated/NAME, ..."""

    def setup(self) -> None:
        self.request.settimeout(None)  # not the impatience of a client in the same process
        super().setup()

    def do_GET(self) -> None:
        how, _, name = self.path.strip("/").partition("/")
        server: Any = self.server
        if how.isdigit():
            self.send_error(int(how))
            return
        content: bytes = server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if how == "wrong":
            content = content[:-1] + b"x"
        if how == "good" or how == "wrong":
            self.wfile.write(content)
            return
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        if how == "stalled":
            server.go_on.wait(300)
        if how == "gone":  # the server's machine is gone: a reset instead of an end
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return


class Server(http.server.ThreadingHTTPServer):
    """On a free local port."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"data.bin": CONTENT}
        self.go_on = threading.Event()
        self.address = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""

    def remote(self, how: str) -> Remote:
        """data.bin, served in this way."""
        return Remote(f"{self.address}/{how}/data.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
