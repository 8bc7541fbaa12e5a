"""The machine decides which of its own files a study may read; the study's database does not."""

import json
import shlex
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colgan_search.api.own_files import OwnFiles
from colgan_search.bundles.bundle import write_bundle
from colgan_search.bundles.weights import save_generators
from colgan_search.cli.app import run
from colgan_search.config import StudyConfig, load_config
from colgan_search.errors import DataError
from colgan_search.evaluation.inception_file import hub_path
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.presets import preset
from colgan_search.records import GeneratorScore, Protocol, Scores
from colgan_search.roster import Roster
from tests.integration import cli_helpers as helpers

SECRET = ("patient-4711", "patient-4712")
"""Names of classes that must not get into a database."""


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """A folder of images that nobody has allowed: 40 of each of two classes."""
    folder = tmp_path / "private"
    pixels = np.random.default_rng(0)
    for number, name in enumerate(SECRET):
        (folder / name).mkdir(parents=True)
        for index in range(40):
            grey = pixels.integers(0, 128, (8, 8)) + 127 * number
            Image.fromarray(grey.astype(np.uint8)).save(folder / name / f"{index}.png")
    return folder


@pytest.fixture
def attacked(private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_process: None) -> Path:
    """The database of a study of images, whose config somebody has pointed at the private folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLGAN_DATA", raising=False)
    config = helpers.small_config(tmp_path, **IMAGES, data__root=str(tmp_path / "elsewhere"))
    file = tmp_path / "study.db"
    helpers.fake_study(f"sqlite:///{file}", config, total=2, done=1).storage.close()
    data = config.model_dump(mode="json")
    data["data"]["root"] = str(private)
    database = sqlite3.connect(file)
    database.execute("UPDATE study_user_attributes SET value_json = ? WHERE key = 'config'", (json.dumps(data),))
    database.commit()
    database.close()
    monkeypatch.setenv("COLGAN_STORAGE", f"sqlite:///{file}")
    return file


IMAGES = {"data__name": "imagefolder", "training__batch": 16}


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("worker --study small", 2),
        ("evaluate --real --study small", 2),
        ("best --study small --export bundle --retrain", 2),
        ("best --study small --export bundle", 2),
        ("doctor --study small", 1),
    ],
)
def test_a_folder_that_only_the_database_names_is_not_read(
    attacked: Path, command: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command.split()) == code
    printed = capsys.readouterr()
    said = printed.out + printed.err
    for part in (str(tmp_path / "private"), "data.root", "--data-root", "COLGAN_DATA"):
        assert part in said, said
    assert not any(name in said for name in SECRET)
    database = sqlite3.connect(attacked)
    assert database.execute("SELECT count(*) FROM colgan_files").fetchone() == (0,)
    database.close()
    for path in [attacked, *tmp_path.glob("colgan_work/**/*")]:
        assert path.is_dir() or not any(name.encode() in path.read_bytes() for name in SECRET), path


def _config(tmp_path: Path, root: Path | str) -> StudyConfig:
    return helpers.small_config(tmp_path, **IMAGES, data__root=str(root))


def test_what_was_named_here_is_read(tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(tmp_path, private)
    monkeypatch.delenv("COLGAN_DATA", raising=False)
    with pytest.raises(DataError, match="COLGAN_DATA"):
        OwnFiles().applied(config, "small")
    assert OwnFiles(data_root="mine").applied(config, "small").data.root == "mine"
    for folders in (str(private), f"/nowhere:{tmp_path}", f":{private.parent}/../{tmp_path.name}/"):
        monkeypatch.setenv("COLGAN_DATA", folders)
        assert OwnFiles().applied(config, "small") == config
    for folders in ("", ":", str(private / SECRET[0]), f"{private}-2", "/nowhere"):
        monkeypatch.setenv("COLGAN_DATA", folders)
        with pytest.raises(DataError):
            OwnFiles().applied(config, "small")


def test_downloads_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    OwnFiles().applied(_config(tmp_path, tmp_path / "cache" / "colgan-search" / "flowers"), "small")
    with pytest.raises(DataError):
        OwnFiles().applied(_config(tmp_path, tmp_path / "cache" / "colgan-search" / ".." / "flowers"), "small")
    OwnFiles().applied(helpers.small_config(tmp_path), "small")


def test_links_are_followed_first(tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to(private)
    (allowed / "loop").symlink_to("loop")
    (tmp_path / "also-allowed").symlink_to(allowed)
    monkeypatch.setenv("COLGAN_DATA", str(tmp_path / "also-allowed"))
    OwnFiles().applied(_config(tmp_path, allowed / "inside"), "small")
    for root in (allowed / "link", f"{allowed}/loop/x/../../../private", "a\0b", "~nobody-of-that-name/x", "x" * 5000):
        with pytest.raises(DataError):
            OwnFiles().applied(_config(tmp_path, root), "small")


def test_weights_are_files_of_the_machine_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLGAN_DATA", raising=False)

    def config(weights: Path, extractor: str = "inception") -> StudyConfig:
        return helpers.small_config(tmp_path, evaluation__extractor=extractor, evaluation__weights=str(weights))

    with pytest.raises(DataError, match=r"evaluation\.weights.*--weights"):
        OwnFiles().applied(config(tmp_path / "w.pth"), "small")
    assert OwnFiles(weights="mine").applied(config(tmp_path / "w.pth"), "small").evaluation.weights == "mine"
    OwnFiles().applied(config(hub_path()), "small")
    OwnFiles().applied(config(tmp_path / "w.pth", "classifier"), "small")
    monkeypatch.setenv("COLGAN_DATA", str(tmp_path))
    OwnFiles().applied(config(tmp_path / "w.pth"), "small")


def _bundle(folder: Path, config: StudyConfig) -> Path:
    """A bundle of two untrained generators, as somebody else may hand it over."""
    folder.mkdir()
    weights = folder / "generators.safetensors"
    save_generators(
        weights,
        [build_generator(config.network, size=8, channels=1, seed=n) for n in range(2)],
        preset("mad-gan", Roster(2)),
    )
    protocol = Protocol(
        extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=9, splits=1, reference=None
    )
    scores = Scores(generators=2 * (GeneratorScore(metrics={"is_mean": 2.0, "is_std": 0.1}),), protocol=protocol)
    graph = KnowledgeTransferGraph.from_text("G1=D:t/G2=D:t")
    return write_bundle(folder, graph, config, weights, scores, seed=1, command="x").folder


@pytest.mark.parametrize("kind", ["bundle", "run folder"])
def test_a_folder_that_only_a_bundle_names_is_not_read(
    kind: str,
    private: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quiet_process: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLGAN_DATA", raising=False)
    bundle = _bundle(tmp_path / "bundle", _config(tmp_path, private))
    if kind == "run folder":
        (bundle / "versions.json").unlink()
    read = []
    monkeypatch.setattr("colgan_search.api.evaluating.load_images", lambda data: read.append(data) or 1 / 0)
    assert run(["evaluate", "bundle"]) == 2
    said = capsys.readouterr().err
    for part in ("bundle: its config names data.root", str(private), "--data-root", "COLGAN_DATA"):
        assert part in said, said
    assert read == []
    # Named here, it is read: by an option, by the environment, by a config of this machine.
    for words in (["--data-root", str(private)], ["--config", "small.yaml"], []):
        if not words:
            monkeypatch.setenv("COLGAN_DATA", str(tmp_path))
        run(["evaluate", "bundle", *words])
        capsys.readouterr()
    assert [data.root for data in read] == 3 * [str(private)]


def test_weights_that_only_a_bundle_names_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLGAN_DATA", raising=False)
    settings = {"evaluation__extractor": "inception", "evaluation__weights": str(tmp_path / "w.pth")}
    config = helpers.small_config(tmp_path, **settings)
    with pytest.raises(DataError, match=r"^bundle: its config names evaluation\.weights .*--weights"):
        OwnFiles().applied_to_bundle(config, Path("bundle"))


def test_an_exported_config_names_what_this_machine_named(
    attacked: Path, private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be given to `launch` here later, and then counts as typed by a person."""
    config = helpers.small_config(tmp_path, **IMAGES, data__root=str(private))
    folder = tmp_path / "colgan_work" / "small" / "trial-00000"
    folder.mkdir(parents=True)
    generators = [build_generator(config.network, size=8, channels=1, seed=n) for n in range(2)]
    save_generators(folder / "generators.safetensors", generators, preset("mad-gan", Roster(2)))
    mine = tmp_path / "mine"
    assert run(["best", "--study", "small", "--export", "out", "--data-root", str(mine)]) == 0
    assert load_config("out/config.yaml").data.root == str(mine)
    assert run(["best", "--study", "small", "--data-root", str(mine)]) == 2


@pytest.mark.slow
def test_launch_names_to_its_workers_what_the_person_named(private: Path, tmp_path: Path) -> None:
    """By a relative path in the config, too: a worker that was not told would refuse the folder."""
    path = helpers.write_config(tmp_path, **IMAGES, data__root="private", name="small")
    done = helpers.run_cli("launch", "--config", path, "--trials", 1, "--workers", 1, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    helpers.require_complete(f"sqlite:///{tmp_path / 'colgan_work/studies.db'}", 1)


@pytest.mark.parametrize("storage", [True, False])
def test_the_confirmation_that_launch_offers_can_be_typed_as_it_stands(
    storage: bool, private: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The config's folder is not allowed by having been launched: the line names it, and the database's place."""
    monkeypatch.chdir(tmp_path)
    for variable in ("COLGAN_DATA", "COLGAN_STORAGE"):
        monkeypatch.delenv(variable, raising=False)
    config = helpers.small_config(tmp_path, **IMAGES, data__root=str(private), search__trials=3)
    url = f"sqlite:///{tmp_path / 'my work' / 'studies.db'}"
    (tmp_path / "my work").mkdir()
    helpers.fake_study(url, config, total=3, done=3).storage.close()
    place = ["--work-dir", "my work", *(["--storage", url] if storage else [])]
    assert run(["launch", "--config", "small.yaml", "--workers", "0", *place]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "with new seeds: colgan-search confirm" in line]
    _, *words = shlex.split(line.partition(": ")[2])
    assert words[words.index("--data-root") + 1] == str(private)
    assert run(["confirm", "--study", "small", *place, "--workers", "0"]) == 2
    assert run([*words, "--workers", "0"]) == 0
    assert "study small-confirm: at most" in capsys.readouterr().err
