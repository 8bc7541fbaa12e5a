"""`evaluate`: against recorded scores, independent formulas, sets whose scores are known, and bad input."""

import json
import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from colgan_search.api import evaluating
from colgan_search.cli.app import run
from colgan_search.config import DataSettings, load_config, parse_config
from colgan_search.evaluation.inception_file import hub_path
from colgan_search.evaluation.scores import Evaluator
from colgan_search.gan.datasets.loading import default_download_folder, load_images
from colgan_search.records import GeneratorScore, Protocol, Scores
from colgan_search.seeds import derive_seed
from tests.integration.cli_helpers import config_data, write_config

pytestmark = pytest.mark.usefixtures("quiet_process")


def answer(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    """What `evaluate` says on both streams; it must end with `code`, and without a traceback."""
    capsys.readouterr()
    found = run(["evaluate", *map(str, arguments)])
    text = "".join(capsys.readouterr())
    assert found == code, text
    assert "Traceback" not in text and "defect" not in text
    return text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """small.yaml, a trained bundle in run/, the work folder, and 60 digits as PNG files, flat and in classes."""
    place = tmp_path_factory.mktemp("evaluate")
    config = write_config(place)
    arguments = ["--config", config, "--graph", "mad-gan", "--out", place / "run", "--work-dir", place / "work"]
    assert run(["train", *map(str, arguments)]) == 0
    real = load_images(DataSettings(name="digits", size=8, channels=1))
    for index in range(60):
        image, label = Image.fromarray(real.images[index, 0].numpy()), int(real.labels[index])
        for path in (place / "flat" / f"{index:03d}.png", place / "classes" / str(label) / f"{index:03d}.png"):
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    (place / "flat" / "notes.txt").write_text("not an image")
    return place


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def test_a_bundle_scored_again_as_training_did_gives_the_recorded_scores(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = json.loads(Path("run/seed-0/scores.json").read_text())
    seed = derive_seed(int(recorded["seed"]), "evaluation", 1, "final")
    found = json.loads(answer(capsys, "run", "--work-dir", "work", "--seed", seed, "--json"))
    assert found["names"] == ["G1", "G2"] and found["calibration"] is None and found["more"] == []
    assert found["scores"] == {key: recorded[key] for key in ("generators", "protocol", "objective")}
    again = json.loads(answer(capsys, "run/seed-0", "--work-dir", "work", "--json", "--config", "small.yaml"))
    assert again["scores"] == found["scores"] == again["recorded"]
    assert "recorded scores, found again" in answer(capsys, "run", "--work-dir", "work")
    other = json.loads(answer(capsys, "run", "--work-dir", "work", "--json", "--seed", 1))
    assert other["scores"]["protocol"] == recorded["protocol"]
    assert other["scores"]["generators"] != recorded["generators"] == other["recorded"]["generators"]  # other z
    assert f"recorded maximum IS is {recorded['value']:.3f}, of other images" in other["compared"]
    fewer = answer(capsys, "run", "--work-dir", "work", "--images-per-generator", 40)
    assert f"recorded maximum IS is {recorded['value']:.3f}, under another protocol: images 40, recorded with" in fewer


def test_a_run_folder_without_a_config_takes_the_one_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bare").mkdir(exist_ok=True)
    Path("bare/generators.safetensors").write_bytes(Path("run/seed-0/generators.safetensors").read_bytes())
    bundle = json.loads(answer(capsys, "run", "--work-dir", "work", "--seed", 0, "--json"))
    bare = json.loads(answer(capsys, "bare", "--config", "small.yaml", "--work-dir", "work", "--json"))
    assert (bare["scores"], bare["recorded"]) == (bundle["scores"], None)
    assert "holds weights but no config" in answer(capsys, "bare", "--work-dir", "work", code=2)


def test_a_folder_of_images_flat_or_in_classes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--config", "small.yaml", "--work-dir", "work", "--splits", 1, "--json")
    flat = json.loads(answer(capsys, "--images", "flat", *options))["scores"]
    classes = json.loads(answer(capsys, "--images", "classes", *options))["scores"]
    assert flat["protocol"]["images"] == 60 and flat["protocol"]["splits"] == 1
    assert flat["generators"][0]["metrics"]["is_mean"] == pytest.approx(
        classes["generators"][0]["metrics"]["is_mean"], rel=1e-6
    )
    assert flat["generators"][0]["metrics"]["fid"] == pytest.approx(
        classes["generators"][0]["metrics"]["fid"], rel=1e-4
    )
    # the same 60 pictures, straight from memory
    config = parse_config(config_data(evaluation__splits=1), "test")
    evaluator = Evaluator(config.evaluation, load_images(config.data), here / "work" / "cache", torch.device("cpu"))
    expected = evaluator.score_images(evaluator.real.images[:60])
    assert flat["generators"][0] == expected.model_dump() and expected.is_mean > 1.1


def test_the_real_images_against_themselves(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--config", "small.yaml", "--work-dir", "work", "--kid", "--precision-recall")
    found = json.loads(answer(capsys, "--real", *options, "--json"))
    assert found["names"] == ["real"] and found["scores"]["protocol"]["images"] == 1797
    assert found["scores"]["generators"][0]["metrics"]["fid"] == pytest.approx(0.0, abs=1e-3)
    more = found["more"][0]
    assert (more["precision"], more["recall"]) == (1.0, 1.0)
    assert abs(more["kid_mean"]) < 3 * more["kid_std"]
    text = answer(capsys, "--images", "flat", *options)
    for expected in ("FID against digits:1797:", "KID over 100 subsets of 60", "3 nearest neighbours", "1 split\n"):
        assert expected in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "exactly one thing to evaluate"),
        ("run --real", "exactly one thing to evaluate"),
        ("run --images flat", "exactly one thing to evaluate"),
        ("nowhere", "nowhere: there is no such folder"),
        ("work", "work: is no bundle"),
        ("--images nowhere --config small.yaml", "nowhere: there is no such folder; name a folder of images"),
        ("--images work --config small.yaml", "work: holds no images"),
        ("--images broken --config small.yaml", "1.png: is not a whole image"),
        ("--images flat --config small.yaml --splits 61", "60 are too few; 61 splits need 61"),
        ("run --images-per-generator 5 --splits 6", "splits 6 exceeds images 5"),
        ("run --extractor clip", "known are: inception, classifier"),
        ("run --config digits", "generators make images of 8 pixels in 1 channels"),
        ("run --extractor inception --weights nowhere.pth", "nowhere.pth: no such file of Inception weights"),
        ("--real --config nowhere", "'nowhere' is neither a file nor a shipped study config"),
        ("run --study none --storage sqlite:///none.db", "none.db"),
    ],
)
def test_bad_input(here: Path, capsys: pytest.CaptureFixture[str], arguments: str, expected: str) -> None:
    Path("broken").mkdir(exist_ok=True)
    Path("broken/1.png").write_bytes(Path("flat/001.png").read_bytes()[:-30])
    files = sorted(here.rglob("*"))
    assert expected in answer(capsys, *arguments.split(), "--work-dir", "work", code=2)
    assert [path for path in sorted(here.rglob("*")) if path not in files and path.suffix != ".lock"] == []


# The calibration check


def _measured(value: float, images: int = 50_000) -> Scores:
    protocol = Protocol(
        extractor="inception",
        weights_digest="0" * 16,
        resolution=32,
        channels=3,
        images=images,
        splits=10,
        reference=None,
    )
    return Scores(generators=(GeneratorScore(metrics={"is_mean": value, "is_std": 0.095}),), protocol=protocol)


def test_when_the_calibration_is_checked_and_what_it_says() -> None:
    data = config_data(data={"name": "cifar10", "size": 32, "channels": 3}, evaluation={"extractor": "inception"})
    config = parse_config(data, "test")
    for value, ok in ((11.23678, True), (11.15, True), (11.33, True), (11.13, False), (11.35, False)):
        found = evaluating._calibration(config, _measured(value))
        assert found is not None and (found.measured, found.ok) == (value, ok)
        assert (found.expected, found.tolerance) == (11.24, 0.10)
    assert evaluating._calibration(config, _measured(11.24, images=5000)) is None
    for section, changes in (
        ("data", {"size": 64}),
        ("data", {"channels": 1}),
        ("data", {"name": "digits"}),
        ("evaluation", {"splits": 1}),
        ("evaluation", {"extractor": "classifier"}),
    ):
        other = parse_config({**data, section: {**data[section], **changes}}, "test")
        assert evaluating._calibration(other, _measured(11.24)) is None


def test_a_calibration_that_fails_ends_with_1(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluating, "is_calibration", lambda config, images: True)
    text = answer(capsys, "--real", "--config", "small.yaml", "--work-dir", "work", code=1)
    assert "calibration: expected IS 11.24 +- 0.10" in text and "not ok" in text


WEIGHTS = Path(os.environ.get("COLGAN_TEST_INCEPTION") or hub_path())
CIFAR10 = Path(os.environ.get("COLGAN_TEST_CIFAR10") or default_download_folder())


MISSING = [
    reason
    for there, reason in (
        (WEIGHTS.is_file(), f"no Inception weights at {WEIGHTS} (COLGAN_TEST_INCEPTION names them)"),
        ((CIFAR10 / "cifar-10-batches-py").is_dir(), f"no cifar-10-batches-py in {CIFAR10} (COLGAN_TEST_CIFAR10)"),
    )
    if not there
]


@pytest.mark.gpu if torch.cuda.is_available() else pytest.mark.endurance  # minutes on a GPU, hours without
@pytest.mark.slow
@pytest.mark.timeout(8 * 3600)
@pytest.mark.skipif(bool(MISSING), reason="; ".join(MISSING))
def test_real_cifar10_gives_torch_fidelitys_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load_config("cifar10").model_dump(mode="json")
    assert data["evaluation"]["splits"] == 10
    data["runtime"] |= {"device": "auto", "threads": os.cpu_count()}
    config = tmp_path / "cifar10.yaml"
    config.write_text(json.dumps(data))  # JSON is YAML
    options = ("--real", "--config", config, "--size", 32, "--data-root", CIFAR10, "--weights", WEIGHTS)
    found = json.loads(answer(capsys, *options, "--work-dir", tmp_path, "--json"))
    assert found["calibration"]["ok"] is True
    assert found["scores"]["generators"][0]["metrics"]["is_mean"] == pytest.approx(11.24, abs=0.10)
    assert found["scores"]["generators"][0]["metrics"]["fid"] == pytest.approx(0.0, abs=0.01)
