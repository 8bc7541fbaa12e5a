"""`train`: the files that it leaves, and a training that Ctrl-C interrupted ends as if it had not been."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from colgan_search.cli.app import run
from tests.integration.cli_helpers import contents, end, start_cli, wait_for, write_config

pytestmark = pytest.mark.slow

GRAPH = "G1=D:t,G2:p/G2=G1:n"


@pytest.mark.usefixtures("quiet_process")
def test_interrupted_training_ends_like_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, evaluation__every_epochs=5)
    line = ["train", "--config", str(path), "--graph", GRAPH, "--epochs", "15", "--json"]
    monkeypatch.chdir(tmp_path)
    assert run([*line, "--out", "whole"]) == 0
    said = capfd.readouterr()
    whole = json.loads(said.out)
    assert "seed 0: epoch 15/15, max IS" in said.err

    process = start_cli(*line, "--out", "halves", cwd=tmp_path)
    output = next(tmp_path.glob("output-*.txt"))
    try:
        wait_for(lambda: "epoch 3/15" in output.read_text(), "three epochs")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        end(process)
    assert "Traceback" not in output.read_text() and "epoch 15/15" not in output.read_text()
    assert list((tmp_path / "halves" / "seed-0").glob("checkpoint*.pt"))
    assert not (tmp_path / "halves" / "scores.json").exists()

    assert run([*line, "--out", "halves"]) == 0
    said = capfd.readouterr()
    halves = json.loads(said.out)
    assert "epoch 1/15" not in said.err.replace("epoch 10/15", "")
    for ours, theirs in zip(halves["outcomes"], whole["outcomes"], strict=True):
        assert ours["scores"] == theirs["scores"]
        assert ours["history"] == theirs["history"] and len(ours["history"]) == 3
        assert (ours["graph"], ours["seed"], ours["iterations"]) == (GRAPH, theirs["seed"], 15 * 28)

    _require_files(tmp_path / "halves", halves)
    # The same command once more has nothing to train, and changes no result.
    before = contents(tmp_path / "halves" / "seed-0")
    assert run([*line, "--out", "halves"]) == 0
    said = capfd.readouterr()
    assert json.loads(said.out) == halves and "epoch" not in said.err
    assert contents(tmp_path / "halves" / "seed-0") == before


def _require_files(folder: Path, printed: dict[str, object]) -> None:
    """The weights of both generators, the scores as printed, the picture; no checkpoint."""
    scores = json.loads((folder / "scores.json").read_text())
    assert scores == {key: value for key, value in printed.items() if key in scores}
    assert scores["value_mean_over_seeds"] == scores["outcomes"][0]["value"]
    assert scores["value_std_over_seeds"] is None
    with safe_open(folder / "seed-0" / "generators.safetensors", framework="pt") as weights:
        names = list(weights.keys())
    assert any("1" in name.split(".")[0] for name in names) and any("2" in name.split(".")[0] for name in names)
    assert min(Image.open(folder / "graph.png").size) > 200
    with np.load(folder / "seed-0" / "frames.npz") as kept, Image.open(folder / "seed-0" / "film.gif") as film:
        assert getattr(film, "n_frames", 1) == len(kept["epochs"]) > 2
    with Image.open(folder / "seed-0" / "strip.png") as strip:
        assert strip.size[1] > strip.size[0] / 4
    assert not list(folder.rglob("checkpoint*"))
