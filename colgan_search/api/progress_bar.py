"""The bar that a notebook or script may show while it waits for a study."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from colgan_search.api.report_words import duration
from colgan_search.records import score_text
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.database.retry import is_outage


@contextmanager
def shown_progress(monitor: Monitor | None) -> Iterator[Callable[[], None]]:
    """What is to be called now and then inside the block: brings the bar up to date. Without monitor it does nothing.

    On a terminal and in Jupyter the bar is drawn again in its place; elsewhere it is one line at the end.
    """
    if monitor is None:
        yield lambda: None
        return
    bar_itself = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    columns = ("{task.description}", *bar_itself, "{task.fields[left]}", "{task.fields[best]}")
    shown = [TextColumn(column) if isinstance(column, str) else column for column in columns]
    with Progress(*shown, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task(monitor.study.name, total=monitor.study.slots.budget().total, best="", left="")

        label = monitor.study.config.objective.label

        def look() -> None:
            try:
                now = monitor.snapshot()
            except Exception as error:
                if not is_outage(error):
                    raise
                return
            best = "" if now.best is None or now.best.value is None else f"best {label} {score_text(now.best.value, 3)}"
            left = "" if now.seconds_left is None else f"{duration(now.seconds_left)} left"
            bar.update(task, completed=now.budget.done, total=now.budget.total, best=best, left=left)

        look()
        yield look
        look()
