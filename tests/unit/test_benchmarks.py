"""The door of the benchmarks: names, errors, what a result says of itself, and rows that are gone on with."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import benchmark, running
from benchmarks.benchmark import BENCHMARKS, Benchmark
from benchmarks.rows import Rows
from benchmarks.timing import spread
from colgan_search.errors import BadInput
from colgan_search.version import __version__

NAMES = ("start", "train_step", "evaluator", "trial", "search", "service", "fleet", "telemetry", "artifacts")


def test_the_benchmarks_have_these_names() -> None:
    assert BENCHMARKS.names() == NAMES
    assert {one.name for one in BENCHMARKS} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_help_and_a_wrong_option_is_bad_input(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, code in (["--help"], 0), (["--no-such-option"], 2):
        with pytest.raises(SystemExit) as ended:
            running.main([name, *words])
        assert ended.value.code == code
    assert "--json" in capsys.readouterr().out


def test_an_unknown_name_lists_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert running.main(["trail"]) == 2
    assert capsys.readouterr().err == f"error: unknown benchmark 'trail'; known are: {', '.join(NAMES)}\n"
    assert running.main([]) == 2
    said = capsys.readouterr().out
    assert all(name in said for name in NAMES)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> list[argparse.Namespace]:
    """A benchmark called `counting`, and what it was asked."""
    asked: list[argparse.Namespace] = []

    def measure(given: argparse.Namespace) -> dict[str, Any]:
        asked.append(given)
        return {"counted": len(asked)}

    made = Benchmark("counting", "counts", lambda parser: None, measure, lambda result: [f"{result['counted']} times"])
    monkeypatch.setattr(benchmark.BENCHMARKS, "get", lambda name: made)
    return asked


def test_a_result_has_its_command_machine_and_versions(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "a result.json"
    assert running.main(["counting", "--json", str(place)]) == 0
    assert capsys.readouterr().out == "1 times\n"
    result = json.loads(place.read_text(encoding="utf-8"))
    assert result["command"] == f"python -m benchmarks counting --json '{place}'"
    assert result["counted"] == 1
    assert result["versions"]["colgan-search"] == __version__
    assert result["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert result["machine"]["device"] == "cpu" and result["machine"]["cpus"] >= 1
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


def test_nothing_runs_where_the_result_cannot_be_kept(
    counting: list[argparse.Namespace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert running.main(["counting", "--json", str(tmp_path / "no" / "such.json")]) == 2
    assert running.main(["counting", "--json", str(tmp_path)]) == 2
    assert running.main(["counting", "--device", "abacus"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert "no/such.json" in said[0] and "abacus" in said[2]
    assert counting == []


def test_rows_are_measured_once_and_gone_on_with(tmp_path: Path) -> None:
    path, settings = tmp_path / "rows.jsonl", {"trials": 24}
    measured: list[str] = []

    def measure(key: str) -> dict[str, Any]:
        measured.append(key)
        return {"wall": 1.5}

    for keys in ("a", "ab", "abc"):
        rows = Rows(path, settings)
        assert [rows.get(key, lambda key=key: measure(key)) for key in keys] == [{"wall": 1.5}] * len(keys)  # type: ignore[misc]
    assert measured == ["a", "b", "c"]

    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "d", "settings')  # torn by a full disk or a killed process
    rows = Rows(path, settings)
    assert set(rows.kept) == {"a", "b", "c"}
    rows.get("e", lambda: measure("e"))
    assert set(Rows(path, settings).kept) == {"a", "b", "c", "e"}


def test_rows_of_other_settings_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Rows(path, {"trials": 24}).get("a", lambda: {"wall": 1.5})
    with pytest.raises(BadInput, match="other settings"):
        Rows(path, {"trials": 12})
    path.write_text('{"something": "else"}\n', encoding="utf-8")
    with pytest.raises(BadInput, match="not the rows"):
        Rows(path, {"trials": 24})


def test_spread_is_median_and_ends() -> None:
    assert spread([3.0, 1.0, 2.0, 10.0]) == {"median": 2.5, "lowest": 1.0, "highest": 10.0}
