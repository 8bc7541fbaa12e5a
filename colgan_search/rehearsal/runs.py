"""Many rehearsed searches: planned, run in one or several processes, kept line by line in a file that goes on."""

import multiprocessing
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import optuna
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from colgan_search.errors import BadInput, DataError, ProcessKilled
from colgan_search.files import file_digest, write_text
from colgan_search.gates import get_gate
from colgan_search.rehearsal import table as tables
from colgan_search.rehearsal.functions import FAMILIES
from colgan_search.rehearsal.measured import Measured
from colgan_search.rehearsal.problem import Problem, all_digits
from colgan_search.rehearsal.strategies import STRATEGIES
from colgan_search.rehearsal.synthetic import Noise, Synthetic
from colgan_search.rehearsal.workers import Searched, search
from colgan_search.roster import Roster
from colgan_search.signals import held_back
from colgan_search.version import __version__


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Settings(_Closed):
    """What all searches of one file have in common."""

    kind: Literal["rehearsal"] = "rehearsal"
    version: str = __version__
    budgets: Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(min_length=1)]
    """Trials, or trainings' worth of time, after which a winner is named; increasing."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 16
    k: Annotated[int, Field(ge=1, le=8)] = 3
    """Generators of the synthetic functions' graphs."""
    gates: tuple[str, ...] = ("through", "cutoff", "positive", "negative")
    """Of the synthetic functions' graphs."""
    noise: Noise = Noise()


class Task(_Closed):
    """One search that is to be done."""

    problem: str
    """A function's or a table's name."""
    table: str | None
    """The table's file or shipped name; None for a function."""
    digest: str | None
    """Of the table's file."""
    strategy: str
    seed: Annotated[int, Field(ge=0)]

    @property
    def key(self) -> tuple[str, str, int]:
        """Which search it is, among those of one file."""
        return self.problem, self.strategy, self.seed


class Run(_Closed):
    """One line of the file: a search that is done."""

    task: Task
    searched: Searched


RUN, SETTINGS = TypeAdapter(Run), TypeAdapter(Settings)


def plan(
    settings: Settings, functions: tuple[str, ...], measured: tuple[str, ...], strategies: tuple[str, ...], seeds: int
) -> list[Task]:
    """Every search, seed by seed, so that all strategies are known equally well whenever it is stopped.

    BadInput for unknown names, tables that cannot be read, and graphs that cannot be listed.
    """
    for name in strategies:
        STRATEGIES.get(name)
    problems: list[tuple[str, str | None, str | None]] = []
    for name in functions:
        FAMILIES.get(name)
        problems.append((name, None, None))
    if functions:
        # Here, before hours of searches: too many graphs, or a gate that is none.
        all_digits(Roster(settings.k), tuple(get_gate(gate) for gate in settings.gates))
    for name in measured:
        file = tables.find(name)
        problems.append((_table(str(file)).card.name, str(file), file_digest(file)))
    if not problems or not strategies:
        raise BadInput("a rehearsal needs a function or a table, and a strategy")
    if len({name for name, _, _ in problems}) < len(problems):
        raise BadInput("a function or a table is named twice, or two tables have one name")
    return [
        Task(problem=name, table=file, digest=digest, strategy=strategy, seed=seed)
        for seed in range(seeds)
        for name, file, digest in problems
        for strategy in dict.fromkeys(strategies)
    ]


class RunsFile:
    """A JSON-lines file: the settings first, then a line for each search that is done."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Opens or makes the file. DataError if it is another's, damaged, or was begun with other settings."""
        self.path, self.runs = path, []
        if path.exists():
            self.runs = self._read(settings)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text(path, settings.model_dump_json() + "\n")

    def add(self, run: Run) -> None:
        """Appends a line."""
        self.runs.append(run)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(run.model_dump_json() + "\n")

    def missing(self, tasks: list[Task]) -> list[Task]:
        """Those that are not done yet. DataError if one was done with another content of its table."""
        done = {run.task.key: run.task.digest for run in self.runs}
        for task in tasks:
            if done.get(task.key, task.digest) != task.digest:
                raise DataError(
                    f"{self.path}: {task.problem} was searched with another content of that table; name another folder"
                )
        return [task for task in tasks if task.key not in done]

    def _read(self, settings: Settings) -> list[Run]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path}: cannot be read: {error}; name another folder") from None
        whole, _, torn = text.rpartition("\n")
        head, *lines = whole.split("\n")
        try:
            ours = SETTINGS.validate_json(head)
        except ValidationError:
            raise DataError(f"{self.path}: is not a file of a rehearsal; name another folder") from None
        for key, value in settings:
            if getattr(ours, key) != value:
                was, now = (
                    ", ".join(map(str, one)) if isinstance(one, tuple) else one for one in (getattr(ours, key), value)
                )
                name = "trials" if key == "budgets" else key
                raise DataError(f"{self.path}: was begun with {name} {was}, not {now}; name another folder")
        runs: dict[tuple[str, str, int], Run] = {}
        for number, line in enumerate(lines, start=2):
            try:
                run = _checked(RUN.validate_json(line), settings)
            except ValueError:
                raise DataError(
                    f"{self.path}, line {number}: is not a search; delete the line to do it again"
                ) from None
            if runs.setdefault(run.task.key, run) != run:
                raise DataError(f"{self.path}, line {number}: is another outcome of a search that stands there already")
        if torn:  # the process was killed in the middle of a line
            write_text(self.path, whole + "\n")
        return list(runs.values())


def _checked(run: Run, settings: Settings) -> Run:
    """ValueError for a run without a point for every budget."""
    for points in (run.searched.by_trials, run.searched.by_time):
        if tuple(point.budget for point in points) != settings.budgets:
            raise ValueError("it has not a point for every budget")
    return run


def run_all(
    file: RunsFile, settings: Settings, tasks: list[Task], processes: int, on_run: Callable[[Run], None]
) -> None:
    """Does what is missing, and keeps each search as it comes. Stopped at any time, nothing that is done is lost.

    Its processes end with it. ProcessKilled if one of them is ended from outside.
    """
    missing = file.missing(tasks)

    def keep(run: Run) -> None:
        file.add(run)
        on_run(run)

    if processes == 1:
        with _quiet():
            for task in missing:
                keep(do(settings, task))
        return
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _in_process)
    try:
        with held_back(signal.SIGINT):  # Ctrl-C is this process's alone
            begun = [pool.submit(do, settings, task) for task in missing]
        for done in as_completed(begun):
            keep(done.result())
    except BrokenProcessPool:
        raise ProcessKilled(
            "a process of the rehearsal was killed (too little memory?); the searches that were done are kept, and the "
            "same command goes on"
        ) from None
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()  # nobody shall wait for searches of minutes
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def do(settings: Settings, task: Task) -> Run:
    """One search, on one thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        problem = make_problem(settings, task)
        searched = search(problem, STRATEGIES.get(task.strategy), settings.budgets, settings.workers, task.seed)
    return Run(task=task, searched=searched)


def make_problem(settings: Settings, task: Task) -> Problem:
    """The world of one search, whatever the strategy: a function of its seed, or a table, which is the same for all."""
    if task.table is not None:
        return _measured(task.table)
    gates = tuple(get_gate(name) for name in settings.gates)
    return Synthetic(FAMILIES.get(task.problem), Roster(settings.k), gates, settings.noise, task.seed)


@lru_cache(maxsize=16)
def _table(path: str) -> tables.Table:
    return tables.read(Path(path))


@lru_cache(maxsize=16)
def _measured(path: str) -> Measured:
    return Measured(_table(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's line for every trial and its warnings of what is experimental."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _in_process() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
