"""Scores of the other weights of a training (the end, the moving averages): everywhere that a person looks."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from colgan_search.api.work_and_storage import opened_study, work_folder
from colgan_search.api.working import WorkRequest, work
from colgan_search.cli.app import run
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import create_or_open
from colgan_search.seeds import derive_seed
from tests.integration.cli_helpers import small_config, write_config

pytestmark = pytest.mark.usefixtures("quiet_process")

CHANGES: dict[str, Any] = {
    "training__ema": 0.9,
    "training__epochs": 2,
    "training__batch": 256,
    "evaluation__point": "best",
    "evaluation__every_epochs": 1,
}
NAMES = {"last", "best", "last-ema"}


def answer(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """Standard output of a command, or both streams of one that fails; it must end with `code`."""
    capsys.readouterr()
    found = run([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert found == code, said.err
    assert "Traceback" not in said.err and "defect" not in said.err
    return said.out if code == 0 else said.out + said.err


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `train` and a finished study of one trial, both with point best and moving averages."""
    place = tmp_path_factory.mktemp("variants")
    path = write_config(place, **CHANGES)
    arguments = ["--config", path, "--graph", "mad-gan", "--out", place / "run", "--work-dir", place / "work"]
    assert run(["train", *map(str, arguments)]) == 0
    url = f"sqlite:///{place / 'work' / 'studies.db'}"
    config = small_config(place, **CHANGES)
    create_or_open(open_storage(url, create=True), config, "small", 1).storage.close()
    assert work(WorkRequest("small", url, place / "work"), threading.Event()).accepted == 1
    write_config(place, **{**CHANGES, "training__ema": None})
    return place


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def require_rows(text: str, variants: dict[str, Any]) -> None:
    """Every weights' IS and FID of every generator in one line of the table each."""
    for name, scores in variants.items():
        title = f"{name} (counts)" if name == "best" else name
        for number, score in enumerate(scores["generators"], start=1):
            row = f"{title} G{number} {score['metrics']['is_mean']:.3f} {score['metrics']['fid']:.2f}"
            assert any(row in " ".join(line.split()) for line in text.splitlines()), (row, text)


def test_train_shows_all_weights(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(here, **CHANGES)
    line = ("train", "--config", "small.yaml", "--graph", "mad-gan", "--out", "run", "--work-dir", "work")
    variants = json.loads(answer(capsys, *line, "--json"))["outcomes"][0]["variants"]
    assert set(variants) == NAMES
    means = {name: [row["metrics"]["is_mean"] for row in scores["generators"]] for name, scores in variants.items()}
    assert means["last-ema"] != means["last"]
    text = answer(capsys, *line)
    require_rows(text, variants)
    assert " 0.000 " not in text and "std over" not in text  # one split has no deviation

    bundle = json.loads(Path("run/seed-0/scores.json").read_text())
    assert set(bundle["variants"]) == NAMES
    for name, scores in variants.items():
        assert bundle["variants"][name] == bundle["variants"][name] | scores
        assert bundle["variants"][name]["value"] == max(means[name])
    assert bundle["generators"] == variants["best"]["generators"]


def test_averages_are_sampled_and_scored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = json.loads(Path("run/seed-0/scores.json").read_text())
    seed = derive_seed(int(bundle["seed"]), "evaluation", 2, "final")
    options = ("--work-dir", "work", "--seed", seed, "--json")
    for option, name in ((("--ema",), "last-ema"), ((), "best")):
        found = json.loads(answer(capsys, "evaluate", "run", *options, *option))
        assert found["scores"]["generators"] == bundle["variants"][name]["generators"]
    answer(capsys, "sample", "run", "--n", 4, "--out", "raw.png", "--generator", "G1")
    answer(capsys, "sample", "run", "--n", 4, "--out", "ema.png", "--generator", "G1", "--ema")
    assert Path("raw.png").read_bytes() != Path("ema.png").read_bytes()
    best = bundle["variants"]["last-ema"]["best_generator"]
    answer(capsys, "sample", "run", "--n", 4, "--out", "named.png", "--generator", best, "--ema")
    answer(capsys, "sample", "run", "--n", 4, "--out", "best.png", "--ema")
    assert Path("named.png").read_bytes() == Path("best.png").read_bytes()


def test_best_shows_and_exports_all_weights(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened_study(None, work_folder(here / "work"), "small") as study:
        outcome = results.outcome(study, 0)
        assert outcome is not None
        variants = outcome.model_dump(mode="json")["variants"]
    shown = json.loads(answer(capsys, "best", "--work-dir", "work", "--export", "winner", "--json"))
    assert shown["variants"] == variants and set(variants) == NAMES
    require_rows(answer(capsys, "best", "--work-dir", "work"), variants)
    exported = json.loads(Path("winner/scores.json").read_text())["variants"]
    assert {name: scores["generators"] for name, scores in exported.items()} == {
        name: scores["generators"] for name, scores in variants.items()
    }
    trained = here / "work" / "small" / "trial-00000" / "generators-ema.safetensors"
    assert Path("winner/generators-ema.safetensors").read_bytes() == trained.read_bytes()
    averages, raw = load_file("winner/generators-ema.safetensors"), load_file("winner/generators.safetensors")
    assert all(averages[name].shape == tensor.shape for name, tensor in raw.items())  # batch norm's counter as well
    answer(capsys, "sample", "winner", "--n", 1, "--out", "winner.png", "--ema")

    # A bundle without averages in the same place leaves none of the old ones behind, and says so when asked.
    trained.rename(trained.with_name("away"))
    answer(capsys, "best", "--work-dir", "work", "--export", "winner", "--json")
    assert not Path("winner/generators-ema.safetensors").exists()
    for command in (("sample", "winner"), ("evaluate", "winner", "--work-dir", "work")):
        assert "holds no generators-ema.safetensors" in answer(capsys, *command, "--ema", code=2)
    trained.with_name("away").rename(trained)
    assert "--ema is for trained generators" in answer(capsys, "evaluate", "--real", "--ema", code=2)


def test_trained_again_with_files_of_this_machine(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from colgan_search.api import bundles

    seen: list[Any] = []
    original = bundles.study_experiment

    def spied(study: Any, *rest: Any) -> Any:
        seen.append((study.config.data.root, study.config.evaluation.weights))
        return original(study, *rest)

    monkeypatch.setattr(bundles, "study_experiment", spied)
    weights = here / "work" / "small" / "trial-00000" / "generators.safetensors"
    weights.rename(weights.with_name("gone"))
    line = ("best", "--work-dir", "work", "--export", "again")
    answer(capsys, *line, "--retrain", "--data-root", "my/data", "--weights", "my/weights.pth")
    assert seen == [("my/data", "my/weights.pth")]
    assert Path("again/generators-ema.safetensors").is_file()
    assert set(json.loads(Path("again/scores.json").read_text())["variants"]) == NAMES
    assert "root: my/data" in Path("again/config.yaml").read_text()  # what this machine was told, not the database
    weights.with_name("gone").rename(weights)
