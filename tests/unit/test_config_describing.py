"""The JSON schema by the jsonschema library, docs/config.md against whole configs, and `--set`."""

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from colgan_search.cli.configs import set_by
from colgan_search.config import load_config, read_setting, read_yaml, shipped_configs
from colgan_search.config.describing import json_schema, sections
from colgan_search.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs"
SMALL: dict[str, Any] = {
    "name": "mine",
    "data": {"name": "digits"},
    "transfer": {"kind": "features", "layers": [2]},
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", shipped_configs())
def test_every_shipped_config_is_right_by_the_schema(name: str, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(read_yaml(shipped_configs()[name]))] == []
    whole = load_config(name).model_dump(mode="json")
    assert [error.message for error in validator.iter_errors(whole)] == []


@pytest.mark.parametrize(
    "right",
    [
        {"evaluation": {"metrics": ["kid", {"name": "precision", "neighbours": 5}]}},
        {"search": {"sampler": "graph", "sampler_settings": {"replicates": 0.3}}},
        {"discriminators": 2, "discriminator_transfer": {"kind": "outputs", "temperature": 2.0}},
        {"training": {"betas": [0.0, 0.9], "ema": None}},
    ],
)
def test_what_the_program_takes_the_schema_takes(right: dict[str, Any], validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors({**SMALL, **right})] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"nmae": "mine"},
        {"k": 0},
        {"data": {"name": "nothing"}},
        {"data": {"size": 16}},
        {"data": {"name": "digits", "colour": 3}},
        {"transfer": {"kind": "image", "temperature": 2.0}},
        {"training": {"epochs": "many"}},
        {"search": {"gates": ["open"]}},
        {"search": {"sampler": "simplex"}},
        {"search": {"sampler_settings": {"replicas": 0.1}}},
        {"evaluation": {"metrics": ["beauty"]}},
        {"evaluation": {"metrics": [{"name": "kid", "neighbours": 3}]}},
    ],
)
def test_what_the_program_refuses_the_schema_refuses(wrong: dict[str, Any], validator: Draft202012Validator) -> None:
    assert validator.is_valid(SMALL)
    assert not validator.is_valid({**SMALL, **wrong})


def test_the_reference_is_up_to_date_and_has_every_key_of_every_shipped_config() -> None:
    maker = runpy.run_path(str(DOCS / "make_config_reference.py"))
    assert (DOCS / "config.md").read_text(encoding="utf-8") == maker["reference"](), (
        "run: python docs/make_config_reference.py"
    )
    known = {(section.path.partition(",")[0], key.name) for section in sections() for key in section.keys}

    def keys(data: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
        for key, value in data.items():
            if isinstance(value, dict):
                yield from keys(value, f"{path}.{key}" if path else key)
            elif (path, key) not in {
                ("data", "name"),
                ("network", "name"),
                ("transfer", "kind"),
                ("discriminator_transfer", "kind"),
                ("cluster", "kind"),
            }:
                yield path, key

    for name in shipped_configs():
        found = set(keys(load_config(name).model_dump(mode="json"), "")) - {("", "discriminator_transfer")}
        assert {(path.replace("discriminator_transfer", "transfer"), key) for path, key in found} <= known, name


def test_every_key_has_a_meaning_and_a_value() -> None:
    lacking = [(section.path, key.name) for section in sections() for key in section.keys if not key.meaning]
    assert lacking == []
    described = {(section.path, key.name): key for section in sections() for key in section.keys}
    epochs = described["training", "epochs"]
    assert (epochs.values, epochs.default) == ("integer from 1 to 100,000", "50")
    assert described["training", "betas"].default == "[0.5, 0.999]"
    assert described["training", "ema"].values == "number above 0.0 below 1.0 or null"
    assert described["data, name: imagefolder", "size"].default == "64"
    assert described["", "name"].default == ""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("training.epochs=20", ("training.epochs", 20)),
        ("training.learning_rate=2e-3", ("training.learning_rate", 0.002)),
        ("search.gates=[through, cutoff]", ("search.gates", ["through", "cutoff"])),
        ("training.ema=null", ("training.ema", None)),
        ("data.root=/images/a=b", ("data.root", "/images/a=b")),
        ("name='7'", ("name", "7")),
    ],
)
def test_a_setting_is_read_as_yaml(text: str, found: tuple[str, Any]) -> None:
    assert read_setting(text, "--set") == found


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["training.epochs"], r"--set: 'training\.epochs' is not of the form KEY=VALUE"),
        (["=3"], r"--set: '=3' is not of the form"),
        (["training..epochs=3"], r"is not of the form"),
        (["training.epochs=[1"], r"--set: training\.epochs: '\[1' cannot be read"),
        (["training.epochs=many"], r"--set: training\.epochs: 'many' is not allowed"),
        (["training.epoch=3"], r"--set: training\.epoch: unknown key; known here: epochs, batch"),
        (["k.generators=3"], r"--set: k\.generators: k is a value, not a section"),
        (["k=2", "k=3"], r"--set: k is given twice"),
    ],
)
def test_a_wrong_setting_is_said(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        set_by(load_config("digits"), texts)


def test_settings_count_together() -> None:
    # Alone, either would be refused: a best point needs interim scores, and these more epochs than none.
    texts = ["evaluation.point=best", "evaluation.every_epochs=2"]
    with pytest.raises(ConfigError, match="every_epochs"):
        set_by(load_config("paper/table1-dcgan"), ["evaluation.every_epochs=null", "evaluation.point=best"])
    assert set_by(load_config("digits"), texts).evaluation.point == "best"
    assert set_by(load_config("digits"), None) == load_config("digits")
