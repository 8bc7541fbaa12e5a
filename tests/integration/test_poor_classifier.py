"""A classifier that judges badly: said wherever its scores are, and below a floor no search begins."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from colgan_search.api.work_and_storage import opened_study, work_folder
from colgan_search.api.working import WorkRequest, work
from colgan_search.cli import watch
from colgan_search.cli.app import run
from colgan_search.cli.live_view import LiveView
from colgan_search.errors import DataError
from colgan_search.evaluation import classifier
from colgan_search.evaluation.classifier_card import card_path
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, create_or_open, open_study
from colgan_search.search.study.shared_files import SharedFiles
from tests.integration.cli_helpers import fake_study, optuna_study, run_cli, small_config, write_config
from tests.unit.test_classifier_card import card

pytestmark = pytest.mark.usefixtures("quiet_process")

SAID = "is right on only 42.0 % of its held-out images"
GRAPH = "G1=D:t/G2=D:t"


def shared(study: OpenStudy, folder: Path, accuracy: float) -> None:
    """Gives the study a classifier of this accuracy, as its first worker would."""
    weights = folder / "classifier-0123456789abcdef.safetensors"
    weights.write_bytes(b"weights")
    card_path(weights).write_text(card(accuracy).model_dump_json())
    assert SharedFiles(study).push([weights, card_path(weights)])


@pytest.fixture
def study(prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenStudy]:
    """Two of three results, no classifier yet; the storage is in COLGAN_STORAGE."""
    made = fake_study(prepared_url, small_config(tmp_path), total=3, done=2)
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    monkeypatch.chdir(tmp_path)
    yield made
    made.storage.close()


def answer(capsys: pytest.CaptureFixture[str], line: str) -> tuple[str, str]:
    """Both outputs of a command that ends well."""
    capsys.readouterr()
    assert run(line.split()) == 0
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_it_is_said_wherever_scores_are(study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(answer(capsys, "status --json")[0])["classifier_accuracy"] is None
    shared(study, tmp_path, 0.42)
    for line in ("status", "best", "trials", "doctor --study small"):
        assert SAID in answer(capsys, line)[0], line
    for line in ("status --json", "best --json"):
        assert SAID in json.loads(answer(capsys, line)[0])["warning"], line
    assert json.loads(answer(capsys, "status --json")[0])["classifier_accuracy"] == 0.42
    # What another program reads stays what it was.
    out, err = answer(capsys, "trials --format csv")
    assert len(list(csv.DictReader(io.StringIO(out)))) == 2 and SAID in err
    out, err = answer(capsys, "trials --json")
    assert len(json.loads(out)) == 2 and SAID in err


def test_a_useful_one_is_not_spoken_of(study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared(study, tmp_path, 0.9)
    for line in ("status", "best", "trials", "trials --json"):
        assert "warning:" not in "".join(answer(capsys, line)), line
    assert json.loads(answer(capsys, "best --json")[0])["warning"] is None


def test_a_card_that_cannot_be_read_is_no_card(study: OpenStudy, tmp_path: Path) -> None:
    file = tmp_path / "classifier-0.json"
    file.write_text('{"held_out_accuracy": "\\u001b[31m"}')
    assert SharedFiles(study).push([file])
    assert SharedFiles(study).classifier_accuracy() is None


def _study(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    create_or_open(open_storage(url, create=True), small_config(tmp_path), "small", 1).storage.close()
    return url


def test_it_is_kept_with_the_trials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.42)
    url = _study(tmp_path)
    assert work(WorkRequest("small", url, tmp_path / "work"), threading.Event()).accepted == 1
    (trial,) = optuna_study(url).trials
    assert trial.user_attrs["classifier_accuracy"] == 0.42
    assert len(trial.user_attrs["scores"]["protocol"]["weights_digest"]) == 16
    with opened_study(url, work_folder(tmp_path / "work"), "small") as opened:
        assert results.best(opened).classifier_accuracy == 0.42
        assert SharedFiles(opened).classifier_accuracy() == 0.42


def test_below_the_floor_no_slot_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.199)
    url = _study(tmp_path)
    for _ in range(2):
        with pytest.raises(DataError, match=r"only 19\.9 %.*10 classes on 10\.0 %: below 20\.0 %.*does not begin"):
            work(WorkRequest("small", url, tmp_path / "work"), threading.Event())
    opened = open_study(open_storage(url), "small")
    assert (opened.slots.budget().running, opened.slots.budget().free, optuna_study(url).trials) == (0, 0, [])
    assert SharedFiles(opened).classifier_accuracy() is None
    opened.storage.close()
    # Here it is known now: launch does not even start a worker, and doctor says the same.
    config = str(tmp_path / "small.yaml")
    assert run(["launch", "--config", config, "--storage", url, "--work-dir", str(tmp_path / "work")]) == 2
    refusal = capsys.readouterr().err
    assert "found 1,797 images of 10 classes" in refusal and "does not begin; use more images" in refusal
    assert run(["doctor", "--json", "--config", config, "--work-dir", str(tmp_path / "work")]) == 1
    checks = {check["name"]: check["what"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["weights"] in refusal


def test_below_the_floor_nothing_is_trained_or_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.199)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    worthless = "below 20.0 % every score would be worthless, so nothing is"
    assert run(["train", "--config", "small.yaml", "--graph", GRAPH, "--out", "run"]) == 2
    assert f"{worthless} trained to be scored by it" in (said := capsys.readouterr().err) and "--study" not in said
    assert not Path("run").exists()
    assert run(["evaluate", "--real", "--config", "small.yaml"]) == 2
    assert f"{worthless} scored by it" in capsys.readouterr().err


def test_a_bundle_says_how_good_its_judge_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.42)
    monkeypatch.chdir(tmp_path)
    config = str(write_config(tmp_path))
    assert run(["train", "--config", config, "--graph", GRAPH, "--out", "run"]) == 0
    url = f"sqlite:///{tmp_path / 'colgan_work' / 'studies.db'}"
    create_or_open(open_storage(url, create=True), small_config(tmp_path), "small", 1).storage.close()
    assert work(WorkRequest("small", url), threading.Event()).accepted == 1
    assert run(["best", "--export", "winner"]) == 0
    next(Path("colgan_work/small").glob("trial-*/generators.safetensors")).unlink()
    assert run(["best", "--export", "again", "--retrain"]) == 0
    for bundle in ("run/seed-0", "winner", "again"):
        assert json.loads(Path(bundle, "scores.json").read_text())["classifier_accuracy"] == 0.42, bundle


def test_launch_says_it_while_its_workers_work(
    study: OpenStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared(study, tmp_path, 0.42)
    lines = watch.PlainLines(Monitor(study))
    lines.look()
    lines.look()
    assert capsys.readouterr().err.count(SAID) == 1
    terminal = Console(width=200, file=io.StringIO(), _environ={})
    view = LiveView(study, Monitor(study), 1, terminal)
    with terminal.capture() as shown:
        terminal.print(view.render(False))
    assert SAID in shown.get()


@pytest.mark.slow
def test_launch_ends_with_what_its_workers_refused(tmp_path: Path) -> None:
    random = np.random.default_rng(1)  # two classes of noise: guessing is right on half, and the floor is 75 %
    for number in range(400):
        path = tmp_path / "noise" / "ab"[number % 2] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(path)
    data = {"name": "imagefolder", "root": str(tmp_path / "noise"), "size": 8, "channels": 1}
    path = write_config(tmp_path, data=data, evaluation__classifier_epochs=1)
    ended = run_cli("launch", "--config", path, "--workers", 1, cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "found 400 images of 2 classes" in ended.stderr
    assert "below 75.0 % every score would be worthless, so the search does not begin" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_train_and_evaluate_say_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classifier, "train_classifier", lambda *a: 0.42)
    monkeypatch.chdir(tmp_path)
    config = str(write_config(tmp_path, evaluation__every_epochs=1, evaluation__point="best"))
    line = f"train --config {config} --graph {GRAPH} --out run"
    assert SAID in answer(capsys, line)[0]
    outcome = json.loads(answer(capsys, f"{line} --json")[0])["outcomes"][0]
    assert outcome["classifier_accuracy"] == 0.42
    evaluate = f"evaluate --real --config {config}"
    assert SAID in answer(capsys, evaluate)[0]
    assert json.loads(answer(capsys, f"{evaluate} --json")[0])["classifier_accuracy"] == 0.42
    assert SAID in answer(capsys, "figures --run run --format png --tsne-images 20")[1]
