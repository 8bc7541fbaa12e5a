"""A study of version 0.1.0, as that version left it, is refused with the reason, and stays as it is."""

import json
from pathlib import Path

import optuna
import pytest

from colgan_search import __version__
from colgan_search.api import launching
from colgan_search.cli.app import run
from colgan_search.config import fingerprint
from colgan_search.search.database.urls import normalise_url
from tests.integration.cli_helpers import config_data, fake_study, optuna_study, small_config, write_config

REASON = (
    f"error: study 'small' was made by colgan-search 0.1.0, this is {__version__}; scores of two versions must not "
    "mix: 0.1.0 trained image transfer with equation 5 without its norm, so its scores of image transfer are not "
    "those of the paper's loss; begin a new study (--study NAME), or install version 0.1.0 to read this one"
)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_process: None) -> str:
    """Two results and one free slot, with the attributes that 0.1.0 wrote."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fake_study(url, small_config(tmp_path), total=3, done=2).storage.close()
    study = optuna_study(url)
    study.set_user_attr("version", "0.1.0")
    # It knew neither the settings that came later nor their part of the fingerprint, and may have had others.
    study.set_user_attr("config", config_data(training__gone=1))
    study.set_user_attr("fingerprint", "7d87bd6985b9f541")
    monkeypatch.setenv("COLGAN_STORAGE", url)
    monkeypatch.chdir(tmp_path)
    return url


@pytest.mark.parametrize(
    "line",
    [
        "launch --config small.yaml --workers 1",
        "worker --study small",
        "status",
        "trials",
        "best",
        "best --export winner",
        "figures",
        "clean",
        "copy --to sqlite:///other.db",
    ],
)
def test_every_command_refuses_it_and_says_why(url: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(Path())
    before = {trial.number: trial for trial in optuna_study(url).trials}
    attributes = optuna_study(url).user_attrs
    assert run(line.split()) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1] == REASON
    assert {trial.number: trial for trial in optuna_study(url).trials} == before
    assert optuna_study(url).user_attrs == attributes
    assert not Path("other.db").exists() or optuna.get_all_study_names(str(normalise_url("sqlite:///other.db"))) == []
    assert not Path("winner").exists()


def test_launch_refuses_before_it_reads_the_images(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read: list[object] = []
    monkeypatch.setattr(launching, "load_real", lambda config: read.append(config) or 1 / 0)
    write_config(Path())
    assert run(["launch", "--config", "small.yaml", "--workers", "1"]) == 2
    assert capsys.readouterr().err.strip() == REASON
    # So it does with everything else that the database alone tells.
    fake_study(url, small_config(Path(), name="ours"), total=3, done=2).storage.close()
    write_config(Path(), name="ours")
    for words, said in (
        (["--trials", "1"], "--trials 1 is the study's total, but 2 are done"),
        (["--storage", "sqlite:////proc/x.db"], "/proc/x.db: its folder /proc cannot be written to"),
    ):
        assert run(["launch", "--config", "small.yaml", "--workers", "1", *words]) == 2
        assert said in capsys.readouterr().err
    write_config(Path(), name="ours", transfer__alpha=21)
    assert run(["launch", "--config", "small.yaml", "--workers", "1"]) == 2
    assert "transfer.alpha: 21.0 | 20.0" in capsys.readouterr().err
    assert read == []


def test_train_does_not_go_on_in_a_folder_of_that_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path)
    Path("run/seed-0").mkdir(parents=True)
    # Word for word what 0.1.0 left; also with the fingerprint of today's config it must not be taken up.
    for print_ in ("7d87bd6985b9f541", fingerprint(small_config(tmp_path))):
        Path("run/run.json").write_text(json.dumps({"fingerprint": print_, "graph": "G1=D:t/G2=D:t"}))
        assert run(["train", "--config", "small.yaml", "--graph", "mad-gan", "--out", "run"]) == 2
        assert capsys.readouterr().err.strip() == (
            f"error: --out run holds a run of colgan-search 0.1.0, this is {__version__}; scores of two versions must "
            "not mix: 0.1.0 trained image transfer with equation 5 without its norm, so its scores of image transfer "
            "are not those of the paper's loss; choose another folder"
        )


def test_a_new_study_beside_it_is_none_of_its_business(url: str) -> None:
    fake_study(url, small_config(Path(), name="anew"), total=1, done=1).storage.close()
    assert run(["status", "--study", "anew"]) == 0
    assert run(["status", "--study", "small"]) == 2
