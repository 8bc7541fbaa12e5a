"""Commands that run inside the test's own process."""

import logging
import signal
import threading
from collections.abc import Iterator

import pytest

from tests.integration.file_server import Server


@pytest.fixture
def quiet_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command changes in this process is put back: signals, log handlers."""
    monkeypatch.delenv("COLGAN_STORAGE", raising=False)
    signals = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)}
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    for number, handler in signals.items():
        signal.signal(number, handler)
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.go_on.set()
    made.shutdown()
    made.server_close()
    thread.join()
