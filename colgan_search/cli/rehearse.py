"""`rehearse`: strategies compared without training; and tables of measured graphs made of studies."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from colgan_search.cli import console, options
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR
from colgan_search.signals import restored, stop_asked

if TYPE_CHECKING:
    from colgan_search.rehearsal.report import Estimate, Line

EXAMPLE = "colgan-search rehearse --functions maximum,cliffs --strategies tpe,random --seeds 10"


def command(
    functions: Annotated[
        str | None,
        typer.Option("--functions", help="Synthetic functions, with commas between; `all` = every one there is."),
    ] = None,
    tables: Annotated[
        str | None,
        typer.Option(
            "--tables", help="Tables of measured graphs: shipped ones by name, others by their .csv file; or `all`."
        ),
    ] = None,
    strategies: Annotated[
        str | None, typer.Option("--strategies", help="Who searches, with commas between. Without it the usual ones.")
    ] = None,
    trials: Annotated[
        str, typer.Option("--trials", help="After so many trials a winner is named; several with commas between.")
    ] = "60,150,300",
    seeds: Annotated[
        int,
        typer.Option("--seeds", help="Searches of each strategy, each on a function of its own.", min=1, max=100_000),
    ] = 10,
    workers: Annotated[int, typer.Option("--workers", help="Simulated workers.", min=1, max=10_000)] = 16,
    k: Annotated[int, typer.Option("--k", help="Generators of the functions' graphs.", min=1, max=8)] = 3,
    noise: Annotated[
        float,
        typer.Option("--noise", help="Noise of one score, in standard deviations of the function.", min=0.0, max=100.0),
    ] = 1.0,
    heavy_tails: Annotated[
        bool, typer.Option("--heavy-tails", help="Noise with heavy tails, of the same standard deviation.")
    ] = False,
    diverging: Annotated[
        float, typer.Option("--diverging", help="Share of the functions' trainings that diverge.", min=0.0, max=0.9)
    ] = 0.0,
    processes: Annotated[
        int, typer.Option("--processes", help="Real processes, of one thread each.", min=1, max=1024)
    ] = 1,
    export: Annotated[
        list[str] | None,
        typer.Option(
            "--export",
            help="Rehearse nothing; make a table, --out FILE.csv, of this study, or table.csv; may be given again.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Folder of searches, table and figure; else in the work folder. Or the table's file."
        ),
    ] = None,
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Compare ways to search without training: on noisy functions whose truth is known, on tables of measured graphs.

    Every strategy searches with simulated parallel workers. What counts is regret: how much worse than the best graph
    is the one that the strategy names. With neither --functions nor --tables it rehearses on all of both. Every search
    is kept as it comes, and the same command goes on with those that are missing.
    """
    if export:
        _export(tuple(export), out, storage, work_dir, as_json)
        return
    from colgan_search.api.rehearsing import RehearseRequest, rehearse
    from colgan_search.rehearsal.functions import FAMILIES
    from colgan_search.rehearsal.strategies import STRATEGIES, USUAL
    from colgan_search.rehearsal.synthetic import Noise
    from colgan_search.rehearsal.table import shipped

    request = RehearseRequest(
        functions=None if functions is None else _names(functions, FAMILIES.names()),
        tables=None if tables is None else _names(tables, shipped()),
        strategies=USUAL if strategies is None else _names(strategies, STRATEGIES.names()),
        budgets=_numbers(trials),
        seeds=seeds,
        workers=workers,
        k=k,
        noise=Noise(ratio=noise, heavy=heavy_tails, diverging=diverging),
        processes=processes,
        out=out,
        work_dir=work_dir,
        command=console.typed(),
    )
    with restored(), _bar() as shown:
        stop_asked(first=_interrupt)
        done = rehearse(request, shown)
    if as_json:
        from colgan_search.rehearsal.report import as_json as lines_as_json

        console.out(json.dumps(lines_as_json(done.lines)))
    else:
        console.console().print(_table(done.lines))
    console.note("written: " + ", ".join(str(path) for path in done.files))


def _export(studies: tuple[str, ...], out: Path | None, storage: str | None, work_dir: Path, as_json: bool) -> None:
    from colgan_search.api.table_export import export_table

    if out is None:
        raise BadInput("--export needs --out FILE.csv: where the table goes")
    table = export_table(studies, out, storage, work_dir)
    numbers = {"graphs": len(table.trainings), "trainings": len(table.rows)}
    if as_json:
        console.out(json.dumps({"file": str(out), **numbers}))
    else:
        console.out(f"{out}: {numbers['trainings']:,} trainings of {numbers['graphs']:,} graphs")


def _interrupt() -> None:
    """SIGTERM ends a rehearsal as Ctrl-C does."""
    raise KeyboardInterrupt


def _names(text: str, all_of_them: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return all_of_them if names == ("all",) else names


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or list(numbers) != sorted(set(numbers)) or not 1 <= numbers[0] <= numbers[-1] <= 100_000:
        raise BadInput(f"--trials {text}: whole numbers from 1 to 100,000 that increase, like 60,150,300")
    return numbers


@contextmanager
def _bar() -> Iterator[Any]:
    """How many searches are done, and how long the rest will take; on standard error, and only on a terminal."""
    import sys

    from rich.console import Console

    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    terminal = Console(file=sys.stderr)
    with Progress("searches", *columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _table(lines: "list[Line]") -> Table:
    """A row per problem and strategy."""
    budgets = sorted({line.budget for line in lines})
    last = budgets[-1]
    table = Table(
        *("problem", "strategy", "seeds"),
        *(f"{budget} trials" for budget in budgets),
        *(f"{last} in TPE's", f"{last}: visited", f"time of {last}"),
        title="regret of the named graph, mean [95 % interval]",
        box=None,
    )
    rows: dict[tuple[str, str], dict[int, Line]] = {}
    for line in lines:
        rows.setdefault((line.problem, line.strategy), {})[line.budget] = line
    for (problem, strategy), by_budget in rows.items():
        end = by_budget[last]
        table.add_row(
            *(f"{problem} ({end.unit})", strategy, str(end.seeds)),
            *(_text(by_budget[budget].regret) for budget in budgets),
            "" if end.against_tpe is None else _text(end.against_tpe),
            *(f"{end.visited:.2f}", _text(end.in_time)),
        )
    return table


def _text(found: "Estimate") -> str:
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
