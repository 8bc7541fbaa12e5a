"""`config list|show|check|schema` and `--set`, typed as a user does."""

import json

import pytest
import yaml

from colgan_search.cli.app import run
from colgan_search.config import load_config, parse_config, shipped_configs


def test_the_list_has_every_shipped_config_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_configs())
    assert [line for line in lines if len(line.split()) < 4] == []
    assert run(["config", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == shipped_configs().keys()


def test_what_is_shown_is_a_config_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "digits", "--set", "training.epochs=5"]) == 0
    shown = parse_config(yaml.safe_load(capsys.readouterr().out), "shown")
    assert shown.training.epochs == 5
    assert shown.model_copy(update={"training": load_config("digits").training}) == load_config("digits")
    assert run(["config", "show", "digits", "--json"]) == 0
    assert parse_config(json.loads(capsys.readouterr().out), "shown") == load_config("digits")


def test_a_check_says_what_the_search_buys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "check", "digits-k2", "--set", "search.trials=200"]) == 0
    said = capsys.readouterr().out
    assert "digits-k2 is a study config" in said and "136 distinct graphs once each, then 64 replicates" in said
    assert run(["config", "check", "digits-k2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["study"] == "digits-k2"


def test_the_schema_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["k"]["default"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["config"], "Missing argument"),
        (["config", "print"], "'print' is not one of 'list', 'show', 'check', 'schema'"),
        (["config", "show"], "config show: show and check take the name or file of a config"),
        (["config", "schema", "digits"], "list and schema take neither"),
        (["config", "list", "--set", "k=2"], "list and schema take neither"),
        (["config", "check", "nothing"], "'nothing' is neither a file nor a shipped study config"),
        (["config", "check", "digits", "--set", "k=0"], "--set: k: 0 is not allowed"),
        (["launch", "--config", "digits", "--set", "training.epoch=2"], "--set: training.epoch: unknown key"),
        (["train", "--graph", "mad-gan", "--set", "epochs"], "--set: 'epochs' is not of the form KEY=VALUE"),
    ],
)
def test_wrong_input_is_said_in_a_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: pytest.TempPathFactory
) -> None:
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == "" and said in told.err and "Traceback" not in told.err
