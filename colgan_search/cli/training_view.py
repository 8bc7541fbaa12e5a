"""What `train` shows while it trains: a bar on a terminal, a line per epoch elsewhere, both with the time left."""

import io
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from colgan_search import records
from colgan_search.cli import console
from colgan_search.cli.long_work_bar import LongWorkBar


class TrainingView:
    """A context; `on_progress` and `on_iteration` are handed to the training of `seeds` seeds."""

    def __init__(self, seeds: int, terminal: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.seeds = seeds
        self._clock = clock
        self._at = (0, 0)
        """Seed's number and the iteration that it has finished."""
        self._iterations = 0
        self._began: tuple[float, int] | None = None
        self._score = ""
        self._epoch = ""
        self._bar: Progress | None = None
        self._lines = LongWorkBar(Console(file=io.StringIO()), clock)
        """Says in lines what takes long, where there is no terminal."""
        if terminal.is_terminal and not terminal.is_dumb_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[text]}"),
                console=terminal,
                expand=True,
            )

    def __enter__(self) -> "TrainingView":
        if self._bar is not None:
            self._task = self._bar.add_task("reading the real images", total=None, text="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def on_progress(self, seed_number: int, progress: records.Progress) -> None:
        """An epoch has ended, or a seed begins."""
        self._iterations = progress.iterations
        if self._began is None or seed_number != self._at[0]:
            self._score = ""
        self._move(seed_number, progress.iteration)
        self._epoch = f"epoch {progress.epoch}/{progress.epochs}"
        if progress.scores is not None:
            self._score = f", {progress.scores.objective.words} {records.score_text(progress.scores.value, 3)}"
        if self._bar is None:
            # Only of this moment: a line without scores has none.
            score = self._score if progress.scores is not None else ""
            console.note(f"seed {seed_number}: {self._epoch}{score}{self._left()}")
        self._draw()

    def on_iteration(self, seed_number: int, iteration: int) -> None:
        """One more iteration has ended."""
        self._move(seed_number, iteration)
        self._draw()

    def on_long_work(self, what: str, done: int, total: int) -> None:
        """Something beside the iterations: the classifier is trained, or images are scored."""
        if self._bar is None:
            self._lines(what, done, total)
        elif done < total:
            self._bar.update(self._task, description=what, text=f"{done:,}/{total:,}")
        elif self._began is not None:
            self._draw()

    def seconds_left(self) -> float | None:
        """Until all seeds are trained, by the iterations since this began or was taken up; None before the first."""
        if self._began is None:
            return None
        seconds, done = self._clock() - self._began[0], self._overall() - self._began[1]
        if done <= 0:
            return None
        return seconds / done * (self.seeds * self._iterations - self._overall())

    def _overall(self) -> int:
        return self._at[0] * self._iterations + self._at[1]

    def _move(self, seed_number: int, iteration: int) -> None:
        before = self._overall()
        self._at = (seed_number, iteration)
        # A seed that was finished before, or one that is taken up, is no measure of speed.
        if self._began is None or self._overall() > before + 1:
            self._began = (self._clock(), self._overall())

    def _left(self) -> str:
        left = self.seconds_left()
        return f", {console.duration(left)} left" if left else ""

    def _draw(self) -> None:
        if self._bar is None:
            return
        self._bar.update(
            self._task,
            description=f"seed {self._at[0] + 1} of {self.seeds}" if self.seeds > 1 else "training",
            total=self.seeds * self._iterations,
            completed=self._overall(),
            text=f"{self._epoch}, iteration {self._at[1]}/{self._iterations}{self._score}{self._left()}",
        )
