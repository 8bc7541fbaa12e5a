"""The signals that ask a process to stop: SIGINT (Ctrl-C), SIGTERM and SIGUSR2, handled in one way everywhere."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)


def _nothing() -> None:
    """What is done by default."""


def stop_asked(first: Callable[[], None] = _nothing, again: Callable[[], None] = _nothing) -> threading.Event:
    """From now on, the event that such a signal sets. `first` is called with it, `again` at every SIGINT after it.

    For the main thread alone, as Python has it.
    """
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if not asked.is_set():
            first()
        elif number == signal.SIGINT:
            again()
        asked.set()

    for number in STOPS:
        signal.signal(number, handle)
    return asked


@contextmanager
def held_back(number: signal.Signals) -> Iterator[None]:
    """In the block such a signal waits: it comes at the end. Processes that are started in it never get it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def restored() -> Iterator[None]:
    """After the block, the signals are handled as they were before it."""
    before = {number: signal.getsignal(number) for number in STOPS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
