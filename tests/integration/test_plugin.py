"""A package outside the repository adds one of each, and a search uses all of them; without it, a worker says so."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"
CONFIG = PLUGIN / "rings.yaml"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin as pip installs it."""
    folder = tmp_path_factory.mktemp("site")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(folder), str(PLUGIN)], check=True, timeout=240)
    return folder


def run(place: Path, *arguments: object, site: Path | None = None, code: int = 0) -> str:
    """What a command says; it sees the plugin if `site` is its folder."""
    paths = [str(PLUGIN.parents[1]), *([str(site)] if site else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "XDG_CACHE_HOME": str(place / "cache")}
    command = [sys.executable, "-m", "colgan_search", *map(str, arguments)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.slow
def test_a_search_uses_all_that_a_plugin_adds(site: Path, tmp_path: Path) -> None:
    work = ("--work-dir", "work")
    run(tmp_path, "launch", "--config", CONFIG, "--trials", 6, "--workers", 1, *work, site=site)
    study = optuna.load_study(study_name="rings", storage=f"sqlite:///{tmp_path}/work/studies.db")
    assert study.direction.name == "MINIMIZE"
    assert [trial.state.name for trial in study.trials] == 6 * ["COMPLETE"]
    gates = {gate for trial in study.trials for gate in trial.params.values()}
    assert "cosine" in gates and gates <= {"through", "cutoff", "cosine"}
    best = json.loads(run(tmp_path, "best", *work, "--json", site=site))
    assert best["value"] == pytest.approx(min(trial.value for trial in study.trials if trial.value is not None))
    assert best["number"] == study.best_trial.number
    outcome: dict[str, Any] = json.loads(run(tmp_path, "best", *work, "--json", site=site))
    assert "brightness" in json.dumps(outcome)
    run(tmp_path, "graphs", "G1=D:cos,G2:cosine/G2=-", "--picture", "cosine.png", site=site)
    assert (tmp_path / "cosine.png").stat().st_size > 10_000
    # The same database on a machine without the plugin
    for command in (("status", *work), ("best", *work), ("worker", "--study", "rings", *work)):
        said = run(tmp_path, *command, code=2)
        assert "colgan-search-example 0.1.0" in said and "not installed" in said
    assert "unknown gate 'cos'" in run(tmp_path, "graphs", "G1=D:cos", code=2)
    assert "unknown" in run(tmp_path, "launch", "--config", CONFIG, "--work-dir", "other", code=2)


def test_each_thing_is_one_file() -> None:
    """What docs/structure.md says, measured: an entry point and a file for each, and no line elsewhere."""
    listed = [
        line.split("=")[1].strip().strip('"')
        for line in (PLUGIN / "pyproject.toml").read_text().splitlines()
        if "colgan_search_example." in line
    ]
    files = [value.partition(":")[0].rpartition(".")[2] for value in listed]
    assert sorted(files) == ["dataset", "extractor", "gate", "metric", "network", "sampler", "transfer"]
    assert {path.stem for path in (PLUGIN / "colgan_search_example").glob("*.py")} == {*files, "__init__"}
