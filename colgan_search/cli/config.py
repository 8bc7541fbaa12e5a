"""`config`: study configs without reading source."""

import json
from enum import Enum
from typing import Annotated

import typer
import yaml

from colgan_search.cli import console, options
from colgan_search.cli.configs import set_by
from colgan_search.config import StudyConfig, fingerprint, load_config, shipped_configs
from colgan_search.errors import ConfigError

EXAMPLE = "colgan-search config show digits --set training.epochs=5"


class Action(str, Enum):
    """What is wanted."""

    LIST = "list"
    SHOW = "show"
    CHECK = "check"
    SCHEMA = "schema"


def command(
    action: Annotated[
        Action,
        typer.Argument(
            help="list: the shipped ones; show: one with every key and default, as YAML; check: is it right, and "
            "what does its search buy; schema: a JSON schema for editors.",
        ),
    ],
    config: Annotated[
        str | None, typer.Argument(help="For show and check: a YAML file, or the name of a shipped config.")
    ] = None,
    set_: options.Set = None,
    as_json: options.AsJson = False,
) -> None:
    """List, show and check study configs. All keys stand in docs/config.md."""
    if (config is None) == (action in (Action.SHOW, Action.CHECK)) or (set_ and config is None):
        wanted = "show and check take the name or file of a config, and --set; list and schema take neither"
        raise ConfigError(f"config {action.value}: {wanted}")
    if config is None:
        _list(as_json) if action is Action.LIST else _schema()
        return
    settings = set_by(load_config(config), set_)
    _show(settings, as_json) if action is Action.SHOW else _check(config, settings, as_json)


def _list(as_json: bool) -> None:
    """Names with the first comment of each file that is not its command."""
    shipped = shipped_configs()
    if as_json:
        console.out(json.dumps({name: str(path) for name, path in shipped.items()}))
        return
    widest = max(map(len, shipped), default=0)
    for name, path in shipped.items():
        lines = path.read_text(encoding="utf-8").splitlines()
        comments = [line[2:] for line in lines if line.startswith("# ") and "colgan-search " not in line]
        console.out(f"{name:{widest}}  {comments[0] if comments else ''}".rstrip())


def _schema() -> None:
    from colgan_search.config.describing import json_schema

    console.out(json.dumps(json_schema(), indent=1))


def _show(settings: StudyConfig, as_json: bool) -> None:
    data = settings.model_dump(mode="json")
    console.out(json.dumps(data) if as_json else yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip())


def _check(name: str, settings: StudyConfig, as_json: bool) -> None:
    from colgan_search.api.space import space_lines

    lines = space_lines(settings, settings.search.trials)
    digest = fingerprint(settings)
    if as_json:
        console.out(json.dumps({"config": name, "study": settings.name, "fingerprint": digest, "space": lines}))
        return
    for line in (f"{name} is a study config: {settings.name}, k = {settings.k}, fingerprint {digest}", *lines):
        console.out(line)
