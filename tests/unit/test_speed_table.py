"""The table of speeds in docs/speed.md is the one that the results give."""

import json
import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MAKER: dict[str, Any] = runpy.run_path(str(ROOT / "docs" / "make_speed_table.py"))


def test_the_page_has_the_table_of_the_results() -> None:
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert MAKER["written"](page) == page, "run: python docs/make_speed_table.py"


def test_what_has_no_result_is_not_run(tmp_path: Path) -> None:
    cells = [line.split(" | ")[1:] for line in MAKER["table"](tmp_path).splitlines()[2:]]
    assert len(cells) > 5
    assert {cell.strip(" |") for row in cells for cell in row} == {"not run", "–"}


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    search = {
        "rounds": 2,
        "times_as_many": {
            "plain, one process": {"by_the_clock": {"median": 2.004, "lowest": 1.9, "highest": 2.5}},
            "plain, one-thread processes": {"by_the_clock": {"median": 1.3, "lowest": 1.25, "highest": 1.375}},
        },
    }
    (tmp_path / "search-cpu.json").write_text(json.dumps(search), encoding="utf-8")
    gpu = {"iterations": {"plain reference, all-through": {"median_ms": 90.0}, "all-through": {"median_ms": 30.0}}}
    (tmp_path / "train_step-cuda.json").write_text(json.dumps(gpu), encoding="utf-8")
    lines = MAKER["table"](tmp_path).splitlines()
    assert next(line for line in lines if "in one process" in line).endswith("| 2.00 (1.90 to 2.50) | not run |")
    assert next(line for line in lines if "side by side" in line).endswith("| 1.30 (1.25 to 1.38) | not run |")
    assert next(line for line in lines if "64 x 64" in line).endswith("| – | 3.00 |")
    (tmp_path / "search-cpu.json").write_text(json.dumps(search | {"rounds": 1}), encoding="utf-8")
    lines = MAKER["table"](tmp_path).splitlines()
    assert next(line for line in lines if "in one process" in line).endswith("| 2.00 (one round) | not run |")
