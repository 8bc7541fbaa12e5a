"""A bar with the time left for whatever takes longer than five seconds; lines where there is no terminal."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from colgan_search.cli import console
from colgan_search.long_work import heard_by

AFTER_SECONDS, LINE_SECONDS = 5.0, 30.0


class LongWorkBar:
    """Listens to one command's work. `show` and `hide` a bar, or `say` lines."""

    def __init__(self, terminal: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._what: str | None = None
        self._began = self._said = clock()
        self._bar: Progress | None = None
        self._terminal = terminal
        self._drawn = terminal.is_terminal and not terminal.is_dumb_terminal

    def __call__(self, what: str, done: int, total: int) -> None:
        """What `long_work.tell` says."""
        now = self._clock()
        if what != self._what or done == 0:
            self.close()
            self._what, self._began, self._said = what, now, now
        if done >= total:
            self.close()
            return
        if now - self._began < AFTER_SECONDS or done == 0:
            return
        text = f"{done:,}/{total:,}, {console.duration((now - self._began) / done * (total - done))} left"
        if self._drawn:
            self._draw(what, done, total, text)
        elif now - self._said >= LINE_SECONDS:
            self._said = now
            console.note(f"{what}: {text}")

    def _draw(self, what: str, done: int, total: int, text: str) -> None:
        if self._bar is None:
            columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[text]}")
            self._bar = Progress(*columns, console=self._terminal, transient=True)
            self._task = self._bar.add_task(what, total=total, text=text)
            self._bar.start()
        self._bar.update(self._task, completed=done, text=text)

    def close(self) -> None:
        """The bar goes."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@contextmanager
def long_work_shown() -> Iterator[None]:
    """Inside the block work that takes long is shown on standard error."""
    bar = LongWorkBar(Console(stderr=True))
    try:
        with heard_by(bar):
            yield
    finally:
        bar.close()
