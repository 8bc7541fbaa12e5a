"""`rehearse`: strategies replayed on functions and tables, their results as files, table and figure."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, work_folder
from colgan_search.errors import BadInput, Interrupted
from colgan_search.figures.regret import Curve, Panels, draw_regret
from colgan_search.file_names import REHEARSAL_RUNS, REHEARSAL_TABLE
from colgan_search.files import write_text
from colgan_search.rehearsal.functions import FAMILIES
from colgan_search.rehearsal.report import Estimate, Line, as_csv, as_json, lines
from colgan_search.rehearsal.runs import Run, RunsFile, Settings, plan, run_all
from colgan_search.rehearsal.strategies import USUAL
from colgan_search.rehearsal.synthetic import Noise
from colgan_search.rehearsal.table import shipped

FIGURE = "regret"


@dataclass(frozen=True)
class RehearseRequest:
    """What is rehearsed. With neither functions nor tables named: all of both."""

    functions: tuple[str, ...] | None = None
    tables: tuple[str, ...] | None = None
    """Names of shipped ones, or CSV files."""
    strategies: tuple[str, ...] = USUAL
    budgets: tuple[int, ...] = (60, 150, 300)
    seeds: int = 10
    workers: int = 16
    k: int = 3
    noise: Noise = field(default_factory=Noise)
    processes: int = 1
    out: Path | None = None
    """Folder; None = `rehearsal/` in the work folder."""
    formats: tuple[str, ...] = ("png", "svg", "pdf")
    work_dir: Path = DEFAULT_WORK_DIR
    command: str = ""


@dataclass(frozen=True)
class Rehearsed:
    """What came of it."""

    lines: list[Line]
    files: list[Path]


def rehearse(request: RehearseRequest, on_run: Callable[[int, int], None] = lambda done, of: None) -> Rehearsed:
    """Does the searches that are missing in the folder, and writes table and figure of all that are asked for.

    `on_run` hears how many searches are done, of how many. BadInput, and nothing written, for bad input; Interrupted
    after Ctrl-C, ProcessKilled where one of several processes was: the same request goes on.
    """
    if list(request.budgets) != sorted(set(request.budgets)):
        raise BadInput(f"the numbers of trials {list(request.budgets)} must increase")
    settings = Settings(budgets=request.budgets, workers=request.workers, k=request.k, noise=request.noise)
    nothing = request.functions is None and request.tables is None
    functions = FAMILIES.names() if nothing else request.functions or ()
    tables = shipped() if nothing else request.tables or ()
    tasks = plan(settings, functions, tables, request.strategies, request.seeds)
    folder = request.out or work_folder(request.work_dir).rehearsal
    work_folder(folder, "--out" if request.out else "--work-dir")
    file = RunsFile(folder / REHEARSAL_RUNS, settings)
    wanted = {task.key for task in tasks}
    done = len(tasks) - len(file.missing(tasks))
    on_run(done, len(tasks))

    def ran(run: Run) -> None:
        nonlocal done
        done += 1
        on_run(done, len(tasks))

    try:
        run_all(file, settings, tasks, request.processes, ran)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; {done} of {len(tasks)} searches are done, and the same command goes on") from None
    order = {task.key: place for place, task in enumerate(tasks)}
    runs = sorted((run for run in file.runs if run.task.key in wanted), key=lambda run: order[run.task.key])
    return _written(request, settings, folder, lines(runs))


def _written(request: RehearseRequest, settings: Settings, folder: Path, found: list[Line]) -> Rehearsed:
    table = folder / f"{REHEARSAL_TABLE}.csv"
    whole = folder / f"{REHEARSAL_TABLE}.json"
    write_text(table, as_csv(found))
    record = {"command": request.command, "settings": settings.model_dump(mode="json"), "lines": as_json(found)}
    write_text(whole, json.dumps(record, indent=1) + "\n")
    pictures = draw_regret(_panels(found), [folder / f"{FIGURE}.{form}" for form in request.formats])
    return Rehearsed(found, [table, whole, *pictures])


def _panels(found: list[Line]) -> dict[str, Panels]:
    panels = {}
    for problem in dict.fromkeys(line.problem for line in found):
        of = [line for line in found if line.problem == problem]
        own = {line.strategy: [other for other in of if other.strategy == line.strategy] for line in of}
        panels[problem] = Panels(
            unit=of[0].unit,
            by_trials={name: _curve([(line.budget, line.regret) for line in on]) for name, on in own.items()},
            by_hours={name: _curve([(line.time_hours, line.in_time) for line in on]) for name, on in own.items()},
        )
    return panels


def _curve(points: Sequence[tuple[float, Estimate]]) -> Curve:
    return Curve(
        budgets=tuple(budget for budget, _ in points),
        mean=tuple(found.mean for _, found in points),
        low=tuple(found.low for _, found in points),
        high=tuple(found.high for _, found in points),
    )
