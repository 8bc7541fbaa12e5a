"""`evaluate` of an unfinished training's checkpoint, with too few images, and with options that exclude each other."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from colgan_search.bundles import trained_generators
from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.errors import BadInput, DataError, Interrupted
from colgan_search.evaluation.metrics.precision_recall import require_neighbours
from colgan_search.experiment import Experiment
from colgan_search.extensions.datasets import Remote
from colgan_search.file_names import WorkFolder
from colgan_search.gan.datasets import cifar10
from colgan_search.presets import preset
from colgan_search.roster import Roster
from tests.integration.cli_helpers import SMALL, fake_study, small_config, write_config
from tests.integration.test_evaluate import answer as evaluate_answer
from tests.unit.evaluation_helpers import Evil

pytestmark = pytest.mark.usefixtures("quiet_process")

EMA = {"training__ema": 0.8, "training__epochs": 2}


def answer(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """What `evaluate` says on both streams; it must end with `code`, and without a traceback."""
    return evaluate_answer(capsys, *arguments, "--work-dir", "work", code=code)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """trial/: interrupted at iteration 40 of 56, without a config; run/seed-0/: the same with the one of `train`."""
    place = tmp_path_factory.mktemp("unfinished")
    config = small_config(place, **EMA)
    experiment = Experiment(config, WorkFolder(place / "work"), torch.device("cpu"))
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    with pytest.raises(Interrupted):
        experiment(preset("mad-gan", Roster(2)), 5, place / "trial", lambda progress: None, stop)
    shutil.copytree(place / "trial", place / "run" / "seed-0")
    shutil.copy(place / "small.yaml", place / "run" / "seed-0" / "config.yaml")
    return place


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def test_a_checkpoint_is_scored_and_its_iteration_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [path.name for path in Path("trial").iterdir()] == ["checkpoint.pt"]
    found = json.loads(answer(capsys, "run", "--json"))
    assert found["iteration"] == 40 and found["names"] == ["G1", "G2"]
    assert found == json.loads(answer(capsys, "run/seed-0", "--json"))
    assert found == json.loads(answer(capsys, "trial", "--config", "small.yaml", "--json"))
    assert "stands at iteration 40" in answer(capsys, "run")
    averages = json.loads(answer(capsys, "run", "--json", "--ema"))
    assert averages["scores"]["generators"] != found["scores"]["generators"]
    # the very weights that the checkpoint holds
    saved = torch.load("trial/checkpoint.pt", weights_only=True)["data"]
    config = load_config("small.yaml")
    for ema, states in ((False, saved["generators"]), (True, saved["averages"])):
        loaded = trained_generators.find_trained(Path("run"), None, ema).load(config, torch.device("cpu"))
        for generator, state in zip(loaded, states, strict=True):
            for name, tensor in generator.state_dict().items():
                assert torch.equal(tensor, state[f"module.{name}" if ema else name])


def test_train_leaves_its_config_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_config(tmp_path, **EMA)

    def interrupted(*arguments: object) -> None:
        raise Interrupted("asked to stop")

    monkeypatch.setattr(Experiment, "__call__", interrupted)
    run(["train", "--config", str(path), "--graph", "mad-gan", "--out", "run", "--work-dir", "work"])
    assert load_config("run/seed-0/config.yaml") == load_config(str(path))


def test_checkpoints_that_are_refused(here: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds weights but no config" in answer(capsys, "trial", code=2)
    cases = {
        "torn": lambda file: file.write_bytes(file.read_bytes()[:-100]),
        "evil": lambda file: torch.save({"format": 1, "identity": "x", "data": Evil(tmp_path / "ran")}, file),
        "empty": lambda file: torch.save({"format": 1, "identity": "x", "data": {}}, file),
    }
    for name, spoil in cases.items():
        shutil.copytree("run", tmp_path / name)
        spoil(tmp_path / name / "seed-0" / "checkpoint.pt")
        assert "checkpoint" in answer(capsys, tmp_path / name, code=2)
    assert not (tmp_path / "ran").exists()
    shutil.copytree("run/seed-0", tmp_path / "torn" / "seed-1")
    with pytest.raises(BadInput, match="several unfinished trainings; name one"):
        trained_generators.find_trained(tmp_path / "torn", None)
    # another k, other networks
    three = write_config(tmp_path, k=3)
    assert "holds k = 2 generators, the config has k = 3" in answer(capsys, "trial", "--config", three, code=2)
    wide = write_config(tmp_path, network__width=8)
    assert "not the weights of 2 generators" in answer(capsys, "trial", "--config", wide, code=2)


def test_too_few_images_for_precision_and_recall(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Path("three").mkdir(exist_ok=True)
    for number in range(3):
        Image.new("L", (8, 8), 60 * number).save(f"three/{number}.png")
    options = ("--splits", 1, "--precision-recall")
    said = answer(capsys, "--images", "three", "--config", "small.yaml", *options, code=2)
    assert "at least 4 images; here are 3" in said
    said = answer(capsys, "run", "--images-per-generator", 3, *options, code=2)
    assert "at least 4 images; here are 3" in said
    assert "precision" in answer(capsys, "run", "--images-per-generator", 4, *options)
    with pytest.raises(DataError, match="at least 4 real images; here are 3"):
        require_neighbours(5, 3, neighbours=3)


def test_one_split_has_no_deviation(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert SMALL["evaluation"]["splits"] == 1
    one, two = answer(capsys, "run"), answer(capsys, "run", "--splits", 2)
    assert "0.000" not in one and "std over" not in one and "std over 2 splits" in two


def test_config_beside_study_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{here / 'work' / 'studies.db'}"
    fake_study(url, small_config(here, **EMA), total=1, done=1).storage.close()
    said = answer(capsys, "trial", "--config", "digits", "--study", "small", code=2)
    assert "leave out --config" in said


def test_a_data_folder_that_cannot_be_filled_is_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cifar10.Cifar10, "remotes", (Remote("http://127.0.0.1:9/archive.tar.gz", "0" * 64, 10),))
    monkeypatch.chdir(tmp_path)
    line = ("--real", "--config", "cifar10", "--device", "cpu", "--data-root")
    assert "could not be downloaded" in answer(capsys, *line, tmp_path / "not" / "here", code=2)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    answer(capsys, *line, tmp_path / "mine", code=2)
    assert (tmp_path / "mine" / "thesis.txt").exists()
