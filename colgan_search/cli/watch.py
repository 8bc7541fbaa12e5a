"""Watching a running study: a live view on a terminal, plain lines elsewhere, Ctrl-C as a drain."""

import threading
import time
from dataclasses import dataclass

from rich.live import Live

from colgan_search import api
from colgan_search.cli import console, show
from colgan_search.cli.live_view import LiveView
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.signals import restored, stop_asked

POLL_SECONDS = 0.5
PLAIN_LINE_SECONDS = 30.0


@dataclass(frozen=True)
class Ended:
    """How the watching ended."""

    drained: bool
    failures: list[str]
    refused: bool = False
    """True if the failures are of what the user gave."""


def until_done(study: api.OpenStudy, workers: "api.LocalWorkers") -> Ended:
    """Shows the study until all local workers have ended. The first signal drains them, the second kills them."""
    terminal = console.console()
    monitor = api.Monitor(study)
    with restored():
        asked = _stops_as_drain(workers)
        if terminal.is_terminal:
            view = LiveView(study, monitor, workers.running, terminal)
            with Live(console=terminal, refresh_per_second=4, transient=False) as live:
                while workers.poll():
                    live.update(view.render(asked.is_set()))
                    time.sleep(POLL_SECONDS)
                live.update(view.render(asked.is_set()))
        else:
            _plain(monitor, workers)
    return Ended(asked.is_set(), [workers.last_words(number) for number in workers.failed], workers.refused)


def how_far(study: api.OpenStudy, ended: Ended) -> Budget | None:
    """The study's budget after the watching; None if it was drained while the database is away."""
    try:
        return study.slots.budget()
    except Exception as error:
        if ended.drained and is_outage(error):
            return None
        raise


def _stops_as_drain(workers: "api.LocalWorkers") -> threading.Event:
    """A signal that asks to stop drains the workers; a second SIGINT kills them."""

    def first() -> None:
        console.note("draining: workers checkpoint and leave; Ctrl-C again ends at once")
        workers.drain()

    def again() -> None:
        console.note("ending at once")
        workers.kill()

    return stop_asked(first, again)


def _plain(monitor: api.Monitor, workers: "api.LocalWorkers") -> None:
    """A line for every result, and one now and then in between."""
    said, said_at = -1, 0.0
    doubted = False
    while workers.poll():
        try:
            now = monitor.snapshot()
        except Exception as error:
            if not is_outage(error):
                raise
            console.note(f"the database is away, workers go on: {one_line(error)}")
            time.sleep(10 * POLL_SECONDS)
            continue
        if not doubted and (doubt := api.poor(now.classifier_accuracy)) is not None:
            console.note(show.doubt_line(doubt))
            doubted = True
        if now.budget.done != said or time.monotonic() - said_at > PLAIN_LINE_SECONDS:
            console.note(show.progress_line(now))
            said, said_at = now.budget.done, time.monotonic()
        time.sleep(POLL_SECONDS)
