"""A TCP proxy in front of a database, to take the database away at a chosen moment."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards connections of 127.0.0.1:`port` to `target`; `cut` ends them all and refuses new ones for a while."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._away = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Takes the database away, and brings it back after so long."""
        self._away.set()
        for pair in self._pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self._pairs.clear()
        threading.Timer(seconds, self._away.clear).start()

    def close(self) -> None:
        """Ends everything."""
        self.cut(0.0)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away.is_set():
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self.target))
            self._pairs.append((client, server))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
