"""`studies`: what a database holds, other programs' studies and unreadable ones included."""

import json

import optuna
import pytest

from colgan_search.cli.app import run
from colgan_search.search.database.opening import open_storage
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import fake_study


def test_every_study_is_listed_with_its_progress_and_best_run(
    prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_study(prepared_url, fake_config("second"), total=3, done=2).storage.close()
    repeated = fake_config("again", k=1, search={"sampler": "repeat", "first": ["dcgan"]})
    fake_study(prepared_url, repeated, total=1, done=1).storage.close()
    assert run(["studies", "--storage", prepared_url, "--json"]) == 0
    rows = {row["study"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == ["again", "second"]
    assert [rows["second"][key] for key in ("for", "k", "done", "total", "finished")] == ["search", 2, 2, 3, False]
    assert [rows["again"][key] for key in ("for", "k", "done", "total", "finished")] == ["trainings", 1, 1, 1, True]
    with_optuna = optuna.load_study(study_name="second", storage=open_storage(prepared_url).optuna)
    assert rows["second"]["best"]["value"] == pytest.approx(with_optuna.best_value)
    assert rows["second"]["best"]["number"] == with_optuna.best_trial.number
    assert run(["studies", "--storage", prepared_url]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in lines[1:]] == [
        ["again", "trainings", "1", "1/1"],
        ["second", "search", "2", "2/3"],
    ]


def test_a_study_that_cannot_be_read_does_not_hide_the_others(
    prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = fake_study(prepared_url, fake_config("ours"), total=1, done=1)
    optuna.create_study(storage=ours.storage.optuna, study_name="another-programs")
    old = fake_study(prepared_url, fake_config("old"), total=1, done=0)
    optuna.load_study(study_name="old", storage=old.storage.optuna).set_user_attr("version", "0.1.0")
    ours.storage.close()
    old.storage.close()
    assert run(["studies", "--storage", prepared_url]) == 0
    told = capsys.readouterr()
    assert "another-programs" in told.out and "ours" in told.out
    assert "another-programs: " in told.err and "is an Optuna study that colgan-search did not make" in told.err
    assert "old: study 'old' was made by colgan-search 0.1.0" in told.err
    assert run(["studies", "--storage", prepared_url, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["study"], row["problem"] is None) for row in rows] == [
        ("another-programs", False),
        ("old", False),
        ("ours", True),
    ]


def test_a_confirmation_is_told_from_a_search(prepared_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    race = {
        "study": "searched",
        "trials": 1,
        "epochs": 1,
        "candidates": [{"graph": "G1=D:t/G2=D:t", "estimate": 1.0, "luckiest": 1.0}],
    }
    config = fake_config("race", search={"sampler": "race", "sampler_settings": race})
    make_study(prepared_url, 2, config).storage.close()
    assert run(["studies", "--storage", prepared_url, "--json"]) == 0
    assert [row["for"] for row in json.loads(capsys.readouterr().out)] == ["confirmation"]


def test_a_database_without_studies_says_so(prepared_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    open_storage(prepared_url).close()
    assert run(["studies", "--storage", prepared_url]) == 0
    assert "holds no study" in capsys.readouterr().out


def test_a_database_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["studies", "--storage", "sqlite:////not/there.db"]) == 2
    assert "there is no such database" in capsys.readouterr().err
