"""Only our own workers, by host and process, are asked to leave at the end."""

import signal
import socket
from types import SimpleNamespace
from typing import Any

from colgan_search.launchers.local import LocalWorkers


def test_a_named_worker_is_asked_once_and_no_other() -> None:
    asked: list[tuple[int, signal.Signals]] = []

    def child(pid: int, *, runs: bool = True) -> Any:
        process = SimpleNamespace(pid=pid, send_signal=lambda number: asked.append((pid, number)))
        return SimpleNamespace(process=process, runs=runs, dismissed=False)

    workers: Any = LocalWorkers.__new__(LocalWorkers)
    workers._children = [child(101), child(102), child(103, runs=False)]
    here = socket.gethostname()
    for _ in range(2):
        workers.dismiss([f"{here}:101:00000001:job", "elsewhere:102:00000001", f"{here}:103:00000001", f"{here}:104:1"])
    assert asked == [(101, signal.SIGTERM)]
