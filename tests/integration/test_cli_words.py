"""Numbers and words that agree: between commands, with the database, and with what readers of JSON can hold."""

import json
from pathlib import Path

import optuna
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from colgan_search import logs
from colgan_search.bundles.bundle import write_bundle
from colgan_search.bundles.weights import save_generators
from colgan_search.cli.app import run
from colgan_search.cli.configs import of_config
from colgan_search.config import load_config, parse_config
from colgan_search.errors import ConfigError
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import preset
from colgan_search.records import GeneratorScore, Outcome, Protocol, Scores
from colgan_search.roster import Roster
from colgan_search.search.proposing import propose
from tests.integration import cli_helpers as helpers


def answer(capsys: pytest.CaptureFixture[str], code: int, *arguments: object) -> str:
    """What a command that ends with `code` says: its output, or its errors."""
    capsys.readouterr()
    found = run([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert found == code, said.err
    assert "Traceback" not in said.err and "defect" not in said.err
    return said.out if code == 0 else said.err


def test_seeds_survive_readers_of_json_that_know_only_doubles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    helpers.fake_study(url, helpers.small_config(tmp_path), total=2, done=2).storage.close()
    monkeypatch.setenv("COLGAN_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    trials = helpers.optuna_study(url).trials
    seeds = [trial.user_attrs["seed"] for trial in trials]
    assert any(int(float(seed)) != seed for seed in seeds)
    read = json.loads(answer(capsys, 0, "trials", "--json"), parse_int=float)
    assert [int(row["seed"]) for row in read] == seeds
    best = helpers.optuna_study(url).best_trial.user_attrs["seed"]
    assert int(json.loads(answer(capsys, 0, "best", "--json"), parse_int=float)["seed"]) == best
    assert int(json.loads(answer(capsys, 0, "status", "--json"), parse_int=float)["best"]["seed"]) == best


def test_an_outcome_is_read_with_its_seed_as_text_and_as_a_number() -> None:
    outcome = Outcome(graph="G1=D:t", seed=2**62 + 1, value=1.0, scores=None, iterations=1, seconds=1.0, device="cpu")
    text = outcome.model_dump_json()
    assert json.loads(text, parse_int=float)["seed"] == str(2**62 + 1)
    assert Outcome.model_validate_json(text) == outcome
    assert Outcome.model_validate_json(text.replace(f'"{2**62 + 1}"', str(2**62 + 1))) == outcome


def test_a_drained_trial_waits_in_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    study = helpers.fake_study(url, helpers.small_config(tmp_path), total=4, done=2)
    monkeypatch.setenv("COLGAN_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    claim = study.slots.claim("host:2:00000002", 600.0)
    assert claim is not None
    claim = propose.assign(study, claim).claim
    assert json.loads(answer(capsys, 0, "status", "--json"))["running"] == 1
    assert [row["state"] for row in json.loads(answer(capsys, 0, "trials", "--json"))][2:] == ["running"]
    assert study.slots.release(claim)
    study.storage.close()
    assert json.loads(answer(capsys, 0, "status", "--json"))["running"] == 0
    assert [row["state"] for row in json.loads(answer(capsys, 0, "trials", "--json"))][2:] == ["waiting"]
    assert "waiting" in answer(capsys, 0, "trials") and "running" not in answer(capsys, 0, "trials")


def test_a_foreign_study_beside_ours_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    helpers.fake_study(url, helpers.small_config(tmp_path), total=1, done=1).storage.close()
    optuna.create_study(study_name="foreign", storage=url)
    monkeypatch.setenv("COLGAN_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    assert json.loads(answer(capsys, 0, "status", "--json"))["study"] == "small"
    assert "colgan-search did not make" in answer(capsys, 2, "status", "--study", "foreign")


def test_lists_of_graphs_in_json_are_one_array(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("graphs", "--k", 2, "--gates", "t,c", "--list")
    listed = json.loads(answer(capsys, 0, *words, "--json"))
    texts = answer(capsys, 0, *words).splitlines()
    assert [KnowledgeTransferGraph.from_json(graph).to_text() for graph in listed] == texts
    assert len(texts) == 10


@pytest.mark.slow
def test_the_events_of_a_worker_in_json_are_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    helpers.fake_study(url, helpers.small_config(tmp_path), total=1, done=1).storage.close()
    for study, code, level, said in (
        ("small", 0, "INFO", "the study is done; 0 results of this worker"),
        ("other", 2, "ERROR", "there is no study 'other'"),
    ):
        ended = helpers.run_cli("worker", "--study", study, "--storage", url, "--json", cwd=tmp_path)
        assert ended.returncode == code, ended.stderr
        events = [json.loads(line) for line in ended.stderr.splitlines()]
        assert events[-1]["level"] == level and said in events[-1]["message"]
        assert ended.stdout == ""


def test_the_template_of_a_storage_is_not_taken_for_a_password() -> None:
    template = "write postgresql://USER:PASSWORD@HOST:5432/DATABASE or sqlite:///FILE.db"
    assert logs.without_secrets(template) == template
    assert logs.without_secrets("postgresql://USER:PASSWORD1@HOST/D") == "postgresql://USER:***@HOST/D"
    assert logs.without_secrets("postgresql://me:PASSWORD@x@host/d") == "postgresql://me:***@host/d"
    assert logs.without_secrets("'postgresql://me:password@host/d'") == "'postgresql://me:***@host/d'"


def test_an_error_about_a_key_names_its_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = parse_config(helpers.config_data(evaluation__every_epochs=9, training__epochs=2), "test")
    with pytest.raises(ConfigError, match=r"^my\.yaml: data\.size: 7 is bad$"), of_config("my.yaml", config):
        raise ConfigError("data.size: 7 is bad")
    assert "my.yaml: evaluation.every_epochs: 9 is beyond training.epochs 2" in capsys.readouterr().err
    with pytest.raises(ConfigError, match=r"^study 'x': no$"), of_config("my.yaml", config):
        raise ConfigError("study 'x': no")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evaluate --real --config mine.yaml", "mine.yaml: data.limit: 5000"),
        ("prepare there --config mine.yaml", "mine.yaml: data.limit: 5000"),
        ("train --graph mad-gan --config mine.yaml", "mine.yaml: data.limit: 5000"),
        ("launch --config mine.yaml --workers 1", "mine.yaml: data.limit: 5000"),
        ("evaluate bundle", "bundle: data.limit: 5000"),
        ("evaluate --real --study small", "study 'small': data.limit: 5000"),
        ("worker --study small", "study 'small': data.limit: 5000"),
    ],
)
def test_every_command_says_where_a_wrong_key_stands(
    line: str, said: str, bundle: Path, capsys: pytest.CaptureFixture[str], quiet_process: None
) -> None:
    path = helpers.write_config(Path(), data__limit=5000).rename("mine.yaml")
    if "small" in line:
        url = "sqlite:///colgan_work/studies.db"
        helpers.fake_study(url, load_config(str(path)), total=1, done=0).storage.close()
    (bundle / "config.yaml").write_text(path.read_text())
    assert f"error: {said} is not allowed" in " ".join(answer(capsys, 2, *line.split()).split())


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle of two untrained generators without moving averages."""
    config = parse_config(helpers.config_data(), "test")
    generators = [build_generator(config.network, size=8, channels=1, seed=number) for number in range(2)]
    save_generators(tmp_path / "weights.safetensors", generators, preset("mad-gan", Roster(2)))
    protocol = Protocol(
        extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=9, splits=1, reference=None
    )
    scores = Scores(generators=2 * (GeneratorScore(metrics={"is_mean": 2.0, "is_std": 0.1}),), protocol=protocol)
    graph = KnowledgeTransferGraph.from_text("G1=D:t/G2=D:t")
    weights = tmp_path / "weights.safetensors"
    monkeypatch.chdir(tmp_path)
    return write_bundle(tmp_path / "bundle", graph, config, weights, scores, seed=1, command="x").folder


def test_samples_of_averages_that_are_not_there_are_refused_for_that(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer(capsys, 2, "sample", bundle, "--ema")
    assert "holds no generators-ema.safetensors" in said and "training.ema" in said


def test_more_images_than_memory_is_meant_for_are_refused(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large = parse_config(helpers.config_data(data__size=64), "test")
    text = (bundle / "config.yaml").read_text().replace("size: 8", f"size: {large.data.size}")
    (bundle / "config.yaml").write_text(text)
    said = answer(capsys, 2, "sample", bundle, "--n", 600_000)
    assert f"at most {2**31 // 64**2:,} images of 64 x 64 pixels" in said and "--seed" in said


def test_a_picture_may_end_in_capitals(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, 0, "sample", bundle, "--n", 4, "--out", "grid.PNG")
    with Image.open("grid.PNG") as picture:
        assert (picture.format, picture.size) == ("PNG", (22, 22))
    answer(capsys, 0, "graphs", "mad-gan", "--k", 2, "--picture", "graph.SVG")
    assert Path("graph.SVG").read_text().rstrip().endswith("</svg>")


def test_weights_of_another_shape_are_refused_with_the_shape(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = bundle / "generators.safetensors"
    tensors = load_file(file)
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 4)
    save_file({**tensors, name: torch.zeros(1, 2, 3, 3)}, file)
    said = answer(capsys, 2, "sample", bundle)
    assert str(file) in said and "size mismatch" in said and "[1, 2, 3, 3]" in said
