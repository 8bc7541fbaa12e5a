"""Work that takes long tells how far it is, to whoever listens: a bar of the command line. By default nobody does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str, int, int], None]
"""(what, done, total) -> nothing; called often, from the thread that works."""

_listeners: list[Listener] = []


def tell(what: str, done: int, total: int) -> None:
    """Of `total` steps of this work, so many are done; the last call has them all."""
    for listener in _listeners:
        listener(what, done, total)


@contextmanager
def heard_by(listener: Listener) -> Iterator[None]:
    """Inside the block the listener hears of it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
