"""Writes the table of speeds in docs/speed.md from benchmarks/results/: `python docs/make_speed_table.py`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "speed.md"
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- speed table: python docs/make_speed_table.py -->\n", "<!-- end of the speed table -->\n"
NOT_RUN = "not run"
NONE = "–"
"""Where a figure cannot be."""

Result = dict[str, Any]
Cell = Callable[[Result], str]


def _spread(one: Result) -> str:
    return f"{one['median']:.2f} ({one['lowest']:.2f} to {one['highest']:.2f})"


def _iteration(case: str) -> Cell:
    def cell(result: Result) -> str:
        plain = result["cases"][case]["plain"]
        low, high = plain["quartiles"]
        return f"{plain['times_slower']:.2f} ({low:.2f} to {high:.2f})"

    return cell


def _paper_iteration(result: Result) -> str:
    plain, ours = (result["iterations"][name]["median_ms"] for name in ("plain reference, all-through", "all-through"))
    return f"{plain / ours:.2f}"


def _evaluator(by: str) -> Cell:
    return lambda result: _spread(result["speed"]["colgan-search"][by])


def _trial(by: str) -> Cell:
    return lambda result: _spread(result["trials"]["plain reference"][by])


def _search(against: str) -> Cell:
    def cell(result: Result) -> str:
        ratio = result["times_as_many"][against]["by_the_clock"]
        return _spread(ratio) if result["rounds"] > 1 else f"{ratio['median']:.2f} (one round)"

    return cell


def _start(what: str) -> Cell:
    return lambda result: f"{_spread(result['starts'][what]['cpu_seconds'])} s"


def _service(result: Result) -> str:
    costs = {cost["trials"]: cost["cpu_ms"] for cost in result["costs"]}
    return f"{costs[1000] / 1000:.3f} s"


ROWS: list[tuple[str, tuple[str, Cell] | None, tuple[str, Cell] | None]] = [
    (
        "an iteration, 16 x 16 x 1: times the plain reference's speed",
        ("train_step-cpu", _iteration("digits")),
        None,
    ),
    ("an iteration, 32 x 32 x 3", ("train_step-cpu", _iteration("32 x 32")), None),
    ("an iteration, 64 x 64 x 3", None, ("train_step-cuda", _paper_iteration)),
    (
        "InceptionV3: times torch-fidelity's images per second",
        ("evaluator-cpu", _evaluator("times_as_fast_by_cpu_time")),
        ("evaluator-cuda", _evaluator("times_as_fast")),
    ),
    (
        "a whole trial of the digits: times the plain reference's speed",
        ("trial-cpu", _trial("times_longer_by_cpu_time")),
        ("trial-cuda", _trial("times_longer")),
    ),
    (
        "a search of 24 trials: times the trials per hour of the plain reference in one process",
        ("search-cpu", _search("plain, one process")),
        ("search-cuda", _search("plain, one process")),
    ),
    (
        "the same, of the plain reference in one-thread processes side by side",
        ("search-cpu", _search("plain, one-thread processes")),
        ("search-cuda", _search("plain, one-thread processes")),
    ),
    ("`colgan-search --help`", ("start-cpu", _start("--help")), None),
    ("`colgan-search status`", ("start-cpu", _start("status")), None),
    (
        "a worker until the first step of its first training",
        ("start-cpu", _start("a worker until its first step")),
        ("start-cuda", _start("a worker until its first step")),
    ),
    ("what the service takes of a worker for one trial, the 1,000th", ("service", _service), None),
]
"""What, and where it stands: the result's file and how to read it, on a CPU and on a GPU; None = no such figure."""


def table(results: Path = RESULTS) -> str:
    """The table's Markdown, from the JSON files of a folder."""
    lines = ["| | CPU | GPU |", "|---|---|---|"]
    lines += [f"| {what} | {_cell(results, cpu)} | {_cell(results, gpu)} |" for what, cpu, gpu in ROWS]
    return "\n".join(lines) + "\n"


def _cell(results: Path, source: tuple[str, Cell] | None) -> str:
    if source is None:
        return NONE
    name, cell = source
    path = results / f"{name}.json"
    return cell(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else NOT_RUN


def written(page: str, results: Path = RESULTS) -> str:
    """The page's text with its table made anew."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table(results) + END + after


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
