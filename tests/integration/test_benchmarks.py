"""Every benchmark from end to end, as small as it goes: what it writes is what the table of docs/speed.md reads."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

from benchmarks import running
from colgan_search.evaluation.comparing import of_means
from tests.fleet import assert_exact, fake_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

MAKER: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "make_speed_table.py"))

SMALL = [
    *("--set", "training.epochs=1", "--set", "evaluation.images=100"),
    *("--set", "evaluation.classifier_epochs=3", "--set", "evaluation.fid=false"),
]


def ran(folder: Path, name: str, *words: str) -> dict[str, Any]:
    """Its result, which also stands in the table of docs/speed.md."""
    file = folder / (f"{name}.json" if name == "service" else f"{name}-cpu.json")
    assert running.main([name, *words, "--json", str(file)]) == 0
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert result["command"].startswith(f"python -m benchmarks {name} ")
    return result


def cells(folder: Path, words: str) -> str:
    """The line of the table that has these words."""
    return next(line for line in MAKER["table"](folder).splitlines() if words in line)


def test_trial(tmp_path: Path) -> None:
    result = ran(tmp_path, "trial", "--rounds", "1", *SMALL)
    assert set(result["trials"]) == {"fast path", "with none of runtime.fast", "plain reference"}
    assert result["trials"]["fast path"]["times_longer"]["median"] == 1.0
    assert all(len(row["maximum_is"]) == 1 and row["maximum_is"][0] > 1.0 for row in result["trials"].values())
    assert "not run | not run" not in cells(tmp_path, "a whole trial")


def test_search(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    words = ["--trials", "2", "--rounds", "1", "--processes", "2", "--plain-threads", "1", "--score-seeds", "2", *SMALL]
    result = ran(tmp_path, "search", *words, "--rows", str(rows))
    kept = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    assert len(kept) == 3 + 2 * 2
    ours, obvious, well = (row["row"] for row in kept[:3])
    assert len(ours["graphs"]) == 2 and len(obvious["values"]) == len(well["values"]) == 2
    ratio = result["times_as_many"]["plain, one process"]["by_the_clock"]["median"]
    assert ratio == pytest.approx(obvious["wall"] / ours["wall"], abs=1e-3)
    scores = [[row["row"]["value"] for row in kept if f"{name}, seed" in row["key"]] for name in ("path", "reference")]
    assert result["scores"]["difference"]["low"] == pytest.approx(of_means(*scores).low)
    assert "not run | not run" not in cells(tmp_path, "side by side")
    # The same again measures nothing anew.
    again = ran(tmp_path, "search", *words, "--rows", str(rows))
    assert again["searches"] == result["searches"] and again["scores"] == result["scores"]


def test_start(tmp_path: Path) -> None:
    result = ran(tmp_path, "start", "--rounds", "1")
    seconds = {name: row["cpu_seconds"]["median"] for name, row in result["starts"].items()}
    assert seconds["python alone"] < seconds["python and import torch"] < seconds["a worker until its first step"]
    assert "not run | –" not in cells(tmp_path, "--help")


@pytest.mark.endurance
def test_evaluator(tmp_path: Path) -> None:
    result = ran(tmp_path, "evaluator", "--size", "16", "--images", "4", "--batch", "4", "--blocks", "1")
    assert result["scores"]["is_mean"]["difference"] < 1e-3
    assert "not run | not run" not in cells(tmp_path, "InceptionV3")


def test_service(tmp_path: Path) -> None:
    result = ran(tmp_path, "service", "--trials", "1000", "--measure", "2", "--storage", f"sqlite:///{tmp_path}/s.db")
    assert result["database"].startswith("sqlite") and result["costs"][0]["trials"] == 1000
    assert "not run" not in cells(tmp_path, "1,000th")


def test_telemetry(tmp_path: Path) -> None:
    file = tmp_path / "telemetry.json"
    assert running.main(["telemetry", "--rounds", "2", "--json", str(file)]) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["rounds"] == 2 and result["iteration_ms"] > 0 and result["machine"]["cpus"] > 0


def test_artifacts(tmp_path: Path) -> None:
    file = tmp_path / "artifacts.json"
    assert running.main(["artifacts", "--trials", "3", "--json", str(file)]) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert result["trials_with_pictures"] == 3 and result["growth_mb"] > 0


def test_fleet(postgres_url: str, tmp_path: Path) -> None:
    """A third of 30 workers vanishes: 45 results all the same, as Optuna and the plain driver show them."""
    file = tmp_path / "fleet.json"
    words = ["--workers", "30", "--trials", "45", "--minutes", "8", "--storage", postgres_url]
    assert running.main(["fleet", *words, "--json", str(file)]) == 0
    result = json.loads(file.read_text(encoding="utf-8"))
    assert_exact(postgres_url, 45, config=fake_config("fleet", k=3))
    found = result["results"]
    assert {found[key] for key in ("slots", "right", "trials", "distinct_trials_of_slots")} == {45}
    assert found["taken_over"] == result["trainings"] - 45 > 0 and result["vanished"] == 10
    assert result["simulated_seconds"] > 2 * 8 * 60, "30 workers train twice for 45 results"
    # Each of them renews its lease of 90 s every quarter of it; three statements each time.
    renewals = result["statements_by_purpose"]["renewals"] / 3
    assert renewals == pytest.approx(result["trainings"] * 8 * 60 / 22.5, rel=0.2)
