"""A TCP proxy in front of a database, to take the database away at a chosen moment."""

import contextlib
import socket
import threading


class Proxy:
    """Forwards connections of 127.0.0.1:`port` to `target`; `cut` ends them all and refuses new ones for a while."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._seconds: float | None = None
        self._noticed = False
        self._changing = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Takes the database away; brings it back so long after somebody has noticed, however late that is."""
        with self._changing:
            self._seconds, self._noticed = seconds, False
            for pair in self._pairs:
                for end in pair:
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)
            self._pairs.clear()

    def close(self) -> None:
        """Ends everything."""
        self.cut(0.0)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _come_back(self) -> None:
        with self._changing:
            self._seconds = None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._changing:
                if self._seconds is not None:
                    client.close()
                    if not self._noticed:
                        threading.Timer(self._seconds, self._come_back).start()
                    self._noticed = True
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
