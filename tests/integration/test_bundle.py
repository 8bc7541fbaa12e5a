"""Bundles by the command line: left by `train`, exported from a study, trained again, sampled from."""

import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from colgan_search import logs
from colgan_search.api import working
from colgan_search.api.working import WorkRequest
from colgan_search.cli import console
from colgan_search.cli.app import run
from colgan_search.evaluation import classifier
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.seeds import derive_seed
from tests.integration.cli_helpers import small_config, write_config

pytestmark = pytest.mark.usefixtures("quiet_process")


def answer(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """What a command says on both streams; it must end with `code`, and without a traceback."""
    capsys.readouterr()
    found = run([str(argument) for argument in arguments])
    text = "".join(capsys.readouterr())
    assert found == code, text
    assert "Traceback" not in text and "defect" not in text
    return text


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work folder of a finished study of two real trials, in the current folder."""
    monkeypatch.chdir(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    url = f"sqlite:///{work / 'studies.db'}"
    create_or_open(open_storage(url, create=True), small_config(tmp_path), "small", 2).storage.close()
    assert working.work(WorkRequest("small", url, work), threading.Event()).accepted == 2
    return work


def test_train_leaves_a_bundle_that_can_be_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    config = write_config(tmp_path)
    answer(capsys, 0, "train", "--config", config, "--graph", "mad-gan", "--out", "run", "--work-dir", "work")
    outcome = json.loads(Path("run/seed-0/outcome.json").read_text())
    scores = json.loads(Path("run/seed-0/scores.json").read_text())
    assert scores["generators"] == outcome["scores"]["generators"] and scores["value"] == outcome["value"]
    assert scores["seed"] == outcome["seed"]

    answer(capsys, 0, "sample", "run", "--n", 9, "--out", "grid.png")
    assert np.asarray(Image.open("grid.png")).shape == (3 * 10 + 2, 3 * 10 + 2, 3)
    answer(capsys, 0, "sample", "run/seed-0", "--n", 9, "--out", "again.png", "--generator", scores["best_generator"])
    assert Path("grid.png").read_bytes() == Path("again.png").read_bytes()
    answer(capsys, 0, "sample", "run", "--n", 9, "--seed", 1, "--out", "other.png")
    assert Path("grid.png").read_bytes() != Path("other.png").read_bytes()
    answer(capsys, 0, "sample", "run", "--n", 4, "--generator", "all", "--out", "all.npz")
    with np.load("all.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays} == {"G1": (4, 1, 8, 8), "G2": (4, 1, 8, 8)}

    before = sorted(Path().rglob("*"))
    assert "it has G1, G2, or take best or all" in answer(capsys, 2, "sample", "run", "--generator", "G3")
    assert "is no bundle" in answer(capsys, 2, "sample", "work")
    assert "no such folder" in answer(capsys, 2, "sample", "nowhere")
    assert "unknown form '.gif'" in answer(capsys, 2, "sample", "run", "--out", "x.gif")
    assert "greater than or equal to 1, not '0'" in answer(capsys, 2, "sample", "run", "--n", 0)
    assert sorted(Path().rglob("*")) == before


def test_export_and_train_again(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = json.loads(answer(capsys, 0, "best", "--work-dir", work, "--json"))
    answer(capsys, 0, "best", "--work-dir", work, "--export", "best")
    scores = json.loads(Path("best/scores.json").read_text())
    assert (scores["value"], scores["seed"], scores["best_generator"]) == (
        shown["value"],
        shown["seed"],
        shown["best_generator"],
    )
    assert [score["metrics"]["is_mean"] for score in scores["generators"]] == shown["is_mean"]
    assert scores["protocol"] == shown["protocol"]
    assert json.loads(Path("best/graph.json").read_text()) == shown["graph_json"]
    run_folder = work / "small" / f"trial-{shown['number']:05d}"
    weights = (run_folder / "generators.safetensors").read_bytes()
    assert Path("best/generators.safetensors").read_bytes() == weights
    answer(capsys, 0, "best", "--work-dir", work, "--export", "best")  # in place of the bundle that is there

    (run_folder / "generators.safetensors").unlink()
    missing = answer(capsys, 2, "best", "--work-dir", work, "--export", "elsewhere")
    assert "not here" in missing and shown["worker"] in missing and "--retrain" in missing
    assert not Path("elsewhere").exists()
    answer(capsys, 0, "best", "--work-dir", work, "--export", "elsewhere", "--retrain")
    again, first = load_file("elsewhere/generators.safetensors"), load_file("best/generators.safetensors")
    assert set(again) == set(first)
    for name, tensor in again.items():
        np.testing.assert_array_equal(tensor, first[name], err_msg=name)
    assert json.loads(Path("elsewhere/scores.json").read_text()) == scores
    assert not list(work.rglob("checkpoint*.pt"))


def test_evaluate_takes_the_config_and_the_classifier_of_a_study(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = json.loads(answer(capsys, 0, "best", "--work-dir", work, "--json"))
    run_folder = work / "small" / f"trial-{shown['number']:05d}"
    shutil.rmtree(work / "small" / "cache")  # as on a machine that has never worked on it
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: pytest.fail("trained a classifier of its own"))
    seed = derive_seed(int(shown["seed"]), "evaluation", 1, "final")
    options = ("--study", "small", "--work-dir", work, "--seed", seed, "--json")
    found = json.loads(answer(capsys, 0, "evaluate", run_folder, *options).splitlines()[-1])
    assert [score["metrics"]["is_mean"] for score in found["scores"]["generators"]] == shown["is_mean"]
    assert [score["metrics"]["fid"] for score in found["scores"]["generators"]] == shown["fid"]
    assert found["scores"]["protocol"] == shown["protocol"]


def test_exports_that_are_refused(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("keep")
    assert "it holds thesis.txt" in answer(capsys, 2, "best", "--work-dir", work, "--export", "mine")
    assert [path.name for path in Path("mine").iterdir()] == ["thesis.txt"]
    assert "is a file" in answer(capsys, 2, "best", "--work-dir", work, "--export", "mine/thesis.txt")
    assert "--retrain needs --export" in answer(capsys, 2, "best", "--work-dir", work, "--retrain")


def test_the_command_is_kept_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = "postgresql://me:top'secret@host/db"
    monkeypatch.setattr("sys.argv", ["colgan-search", "best", "--storage", storage, "--export", "my best"])
    monkeypatch.setattr(logs, "_secrets", {"top'secret"})
    assert console.typed() == "colgan-search best --storage 'postgresql://me:***@host/db' --export 'my best'"
