"""What `launch` and `status --watch` show: bar, workers, GPUs, best run, trouble, as large as the terminal is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from colgan_search.cli import console, show
from colgan_search.evaluation.classifier_card import poor
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.launchers.gpu_use import GpuUse
from colgan_search.records import score_text
from colgan_search.search.budget.workers import WorkerRow, WorkerState
from colgan_search.search.care.glance import Glance, OfBest, Trouble
from colgan_search.search.care.monitor import Monitor, Snapshot
from colgan_search.search.database.retry import is_outage, one_line
from colgan_search.search.study.opening import OpenStudy

BAR_WIDTH = 40
LEAST_BAR_WIDTH = 10

LINES_BESIDE_WORKERS = 11
"""Head, table's head, GPUs, best graph and notes; what is left of the terminal's height is for workers."""

WIDE = 110
"""Columns from which workers are shown with when they were heard of, and GPUs one to a line."""


class LiveView:
    """The view of one study; remembers what it showed last, for when there is nothing new to show."""

    def __init__(
        self,
        study: OpenStudy,
        monitor: Monitor,
        processes: int,
        terminal: Console,
        clock: Callable[[], float] = time.monotonic,
        gpus: Callable[[], Sequence[GpuUse]] = tuple,
    ) -> None:
        """`processes`: workers that are started here; `gpus`: those of this machine, at this moment."""
        self.study = study
        self.monitor = monitor
        self.processes = processes
        self.terminal = terminal
        self._clock = clock
        self._gpus = gpus
        self._glance = Glance(monitor, clock)
        self._began = clock()
        self._rows: list[WorkerRow] = []
        self._shown: list[RenderableType] = []

    def render(self, draining: bool) -> Group:
        """The study as it is now; while the database is away, as it was last."""
        try:
            now = self.monitor.snapshot()
            of_best, trouble = self._glance.of_best(), self._glance.trouble()
        except Exception as error:
            if not is_outage(error):
                raise
            away = Text(f"the database is away, workers go on: {one_line(error)}", style="yellow")
            return Group(*self._shown, away)
        rows = self._remembered(now, draining)
        self._shown = [*self._head(now, draining), self._workers(rows, now, draining) if rows else self._starting(now)]
        hidden = len(rows) - self._room
        if hidden > 0:
            self._shown.append(Text(f"and {hidden} more workers: colgan-search status", style="dim"))
        self._shown += self._gpu_lines()
        if now.best is not None:
            self._shown.append(Text(show.best_line(now.best, self.study.config.objective)))
            if of_best is not None:
                self._shown.append(Text(_of_best(of_best), style="dim"))
        if (doubt := poor(now.classifier_accuracy)) is not None:
            self._shown.append(Text(show.doubt_line(doubt), style="yellow"))
        if trouble is not None:
            self._shown.append(Text(_trouble(trouble), style="yellow", no_wrap=True, overflow="ellipsis"))
        return Group(*self._shown)

    @property
    def _room(self) -> int:
        """Workers that can be shown."""
        return max(3, self.terminal.height - LINES_BESIDE_WORKERS)

    def _remembered(self, now: Snapshot, draining: bool) -> list[WorkerRow]:
        """The workers at work; at the end also those that have left, as they were."""
        rows = list(now.workers)
        if now.budget.finished or draining:
            there = {row.worker: row for row in rows}
            known = {row.worker for row in self._rows}
            rows = [there.get(row.worker) or _left(row, now.budget.finished) for row in self._rows]
            rows += [row for row in now.workers if row.worker not in known]
        self._rows = rows
        return rows

    def _head(self, now: Snapshot, draining: bool) -> list[RenderableType]:
        """Name, bar and counts in one line, or in two on a narrow terminal."""
        budget = now.budget
        text = f"{budget.done}/{budget.total} trials"
        text += f", {budget.failed} failed" if budget.failed else ""
        left = None if draining else show.time_left(now)
        if left is None and not draining and not budget.finished and budget.done == 0:
            left = "time left is known after the first epochs"
        text += f", {left}" if left else ""
        name = self.study.name
        room = self.terminal.width - len(name) - 1
        beside = room - len(text) - 1 >= LEAST_BAR_WIDTH
        width = min(BAR_WIDTH, room - len(text) - 1 if beside else room)
        head = Table.grid(padding=(0, 1))
        head.add_column(no_wrap=True, overflow="ellipsis")
        bar = _bar(budget.total, budget.done, max(LEAST_BAR_WIDTH, width), self.terminal)
        head.add_row(Text(name, style="bold"), bar, *([text] if beside else []))
        return [head] if beside else [head, Text(text)]

    def _starting(self, now: Snapshot) -> Text:
        """Until the first worker enters, or if none is left."""
        if now.budget.finished:
            return Text("the workers have left", style="dim")
        if not self.processes:
            return Text(f"no worker is at it: colgan-search worker --study {self.study.name}", style="dim")
        judge = EXTRACTORS.get(self.study.config.evaluation.extractor).awaited()
        workers = "1 worker" if self.processes == 1 else f"{self.processes} workers"
        since = console.duration(self._clock() - self._began)
        return Text(f"starting {workers} ({since}): PyTorch, the real images, {judge}", style="dim")

    def _gpu_lines(self) -> list[RenderableType]:
        """This machine's GPUs: one to a line where there is room, else all in one."""
        found = [_gpu(use) for use in self._gpus()]
        if not found:
            return []
        if self.terminal.width >= WIDE and len(found) <= self.terminal.height // 4:
            return [Text(f"GPU {one}", style="dim") for one in found]
        return [Text(f"GPU {'; '.join(found)}", style="dim", no_wrap=True, overflow="ellipsis")]

    def _workers(self, rows: Sequence[WorkerRow], now: Snapshot, draining: bool) -> Table:
        table = Table(box=None, header_style="dim")
        wide = self.terminal.width >= WIDE
        titles = ["worker", "device", "does", "trial", "epoch", f"last {self.study.config.objective.label}", "left"]
        for title in [*titles, *(["heard of"] if wide else [])]:
            table.add_column(title, no_wrap=True, overflow="ellipsis")
        for row in rows[: self._room]:
            silent = row.quiet > self.study.config.service.lease_seconds and row.state is not WorkerState.LEFT
            known = row.state is WorkerState.TRAINING and not draining and not silent
            left = now.trial_left.get(row.worker) if known else None
            does = "draining" if draining and row.state is not WorkerState.LEFT else str(row.state)
            table.add_row(
                show.short_worker(row.worker),
                row.device,
                "silent" if silent else does,
                console.optional(row.trial_number),
                f"{row.epoch}/{row.epochs}" if row.epoch is not None else "",
                f"{row.last_is:.2f}" if row.last_is is not None else "",
                "" if left is None else "scoring" if row.epoch == row.epochs else console.duration(left),
                *([f"{console.duration(row.quiet)} ago"] if wide else []),
            )
        return table


def _bar(total: int, done: int, width: int, terminal: Console) -> RenderableType:
    """Rich tells what is left from what is done by its colour alone, and leaves it blank where there is none."""
    if terminal.color_system is not None and not terminal.no_color:
        return ProgressBar(total, done, width=width)
    full, empty = "#." if terminal.options.ascii_only else "━┄"
    whole = width * done // total if total else width
    return Text(full * whole + empty * (width - whole))


def _of_best(found: OfBest) -> str:
    """How much of the luckiest run is luck."""
    spread = f"runs of one graph lie {score_text(found.spread, 2)} apart (standard deviation)"
    if found.runs < 2:
        return f"{spread}; it is the only run of its graph"
    return (
        f"its graph: {score_text(found.mean, 3)} +- {score_text(found.error, 3)}, mean of {found.runs} runs; {spread}"
    )


def _trouble(found: Trouble) -> str:
    """The last fault in one line."""
    when = "" if found.seconds_ago is None else f" {console.duration(found.seconds_ago)} ago"
    who = "" if found.worker is None else f", {show.short_worker(found.worker)}"
    which = "before a trial" if found.trial is None else f"trial {found.trial}"
    return f"last trouble{when}: {which}{who}: {console.one_line(found.reason)}"


def _gpu(use: GpuUse) -> str:
    """`0: 87 %, 12.3 of 80.0 GiB`."""
    busy = "" if use.percent is None else f" {use.percent:.0f} %"
    full = "" if use.used is None or use.total is None else f" {use.used:.1f} of {use.total:.1f} GiB"
    return f"{use.index}:{busy}{',' if busy and full else ''}{full}"


def _left(row: WorkerRow, finished: bool) -> WorkerRow:
    """A worker that has gone; in a finished study with its last trial at its end."""
    return replace(row, state=WorkerState.LEFT, epoch=row.epochs if finished else row.epoch)
