"""Watching a running study: a live view on a terminal, plain lines elsewhere, Ctrl-C as a drain."""

import time
from collections.abc import Callable

from rich.live import Live

from colgan_search.api.running import Ended, run_to_end
from colgan_search.cli import console, show
from colgan_search.cli.live_view import LiveView
from colgan_search.evaluation.classifier_card import poor
from colgan_search.extensions.launchers import Workers
from colgan_search.launchers.gpu_use import GpuWatch
from colgan_search.search.care.monitor import Monitor, Snapshot
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.search.study.opening import OpenStudy
from colgan_search.signals import restored, stop_asked

PLAIN_LINE_SECONDS = 30.0
LOOK_SECONDS = 1.0
AWAY_SECONDS = 5.0
"""Between two lines that say that the database is away."""


def until_done(study: OpenStudy, workers: Workers, also: Callable[[Snapshot], None] = lambda snapshot: None) -> Ended:
    """Shows the study until all local workers have ended. The first signal drains them, the second kills them.

    `also` sees every snapshot that is shown.
    """
    terminal = console.console()
    monitor = Monitor(study)

    def run_shown(show_it: Callable[[], None]) -> Ended:
        def look() -> None:
            show_it()
            if monitor.latest is not None:
                also(monitor.latest)

        return run_to_end(study, workers, look)

    with restored():
        _stops_as_drain(workers)
        if not terminal.is_terminal:
            return run_shown(PlainLines(monitor).look)
        with GpuWatch() as gpus, Live(console=terminal, refresh_per_second=4, transient=False) as live:
            view = LiveView(study, monitor, workers.running, terminal, gpus=lambda: gpus.latest)
            ended = run_shown(lambda: live.update(view.render(workers.draining)))
            live.update(view.render(workers.draining))
        return ended


def until_finished(study: OpenStudy) -> None:
    """Shows a study that others work on until it has all its results. KeyboardInterrupt ends only the looking."""
    terminal = console.console()
    monitor = Monitor(study)
    if not terminal.is_terminal:
        lines = PlainLines(monitor)
        while not _finished(lines.look, study):
            time.sleep(LOOK_SECONDS)
        return
    with GpuWatch() as gpus, Live(console=terminal, refresh_per_second=4, transient=False) as live:
        view = LiveView(study, monitor, 0, terminal, gpus=lambda: gpus.latest)
        while not _finished(lambda: live.update(view.render(draining=False)), study):
            time.sleep(LOOK_SECONDS)


def _finished(look: Callable[[], None], study: OpenStudy) -> bool:
    """Looks, and says whether that was the end; while the database is away, it is not."""
    look()
    try:
        return study.slots.budget().finished
    except Exception as error:
        if not is_outage(error):
            raise
        return False


def _stops_as_drain(workers: Workers) -> None:
    """A signal that asks to stop drains the workers; a second SIGINT kills them."""

    def first() -> None:
        if workers.stays is None:
            console.note("draining: workers checkpoint and leave; Ctrl-C again ends at once")
        workers.drain()

    def again() -> None:
        console.note("ending at once")
        workers.kill()

    stop_asked(first, again)


class PlainLines:
    """A line for every result, and one now and then in between."""

    def __init__(self, monitor: Monitor, clock: Callable[[], float] = time.monotonic) -> None:
        self.monitor = monitor
        self._clock = clock
        self._said, self._said_at = -1, 0.0
        self._silent_until = 0.0
        self._doubted = False

    def look(self) -> None:
        """Says what is new."""
        if self._clock() < self._silent_until:
            return
        try:
            now = self.monitor.snapshot()
        except Exception as error:
            if not is_outage(error):
                raise
            console.note(f"the database is away, workers go on: {one_line(error)}")
            self._silent_until = self._clock() + AWAY_SECONDS
            return
        if not self._doubted and (doubt := poor(now.classifier_accuracy)) is not None:
            console.note(show.doubt_line(doubt))
            self._doubted = True
        if now.budget.done != self._said or self._clock() - self._said_at > PLAIN_LINE_SECONDS:
            console.note(show.progress_line(now, self.monitor.study.config.objective))
            self._said, self._said_at = now.budget.done, self._clock()
