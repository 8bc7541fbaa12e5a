"""YAML to StudyConfig. Errors name the file, the key path, the value and what is allowed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from colgan_search.config.reading import read_yaml
from colgan_search.config.schema import StudyConfig
from colgan_search.errors import ConfigError
from colgan_search.extensions.datasets import DATASETS, DataSettings
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.extensions.launchers import LAUNCHERS, LauncherSettings
from colgan_search.extensions.metrics import METRICS, MetricSettings
from colgan_search.extensions.networks import NETWORKS, NetworkSettings
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.extensions.section import Section, member_settings
from colgan_search.extensions.transfers import TRANSFERS, TransferSettings
from colgan_search.registry import Registry

PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = (PACKAGE / "study_configs", PACKAGE.parent / "study_configs")
"""Inside a wheel, and beside the package in a checkout."""
ALIASES = {"paper/table3-proposed": "cifar10"}
"""Second names of shipped study configs: one experiment is one study, whatever it is called by."""

NAMED_INSIDE: tuple[tuple[type, Registry[Any], str, str | None], ...] = (
    (DataSettings, DATASETS, "name", None),
    (NetworkSettings, NETWORKS, "name", "dcgan"),
    (TransferSettings, TRANSFERS, "kind", "features"),
    (LauncherSettings, LAUNCHERS, "kind", "local"),
)
"""Sections that are what one of their own keys names."""
NAMED_BESIDE: dict[str, tuple[Registry[Any], str]] = {
    "extractor_settings": (EXTRACTORS, "extractor"),
    "sampler_settings": (SAMPLERS, "sampler"),
}
"""Sections that are what another key beside them names."""


def shipped_configs() -> dict[str, Path]:
    """Name -> file of every shipped study config, `paper/...` and aliases included."""
    for folder in SHIPPED:
        if folder.is_dir():
            found = {str(p.relative_to(folder).with_suffix("")): p for p in sorted(folder.rglob("*.yaml"))}
            return found | {alias: found[name] for alias, name in ALIASES.items()}
    return {}


def find_config(name_or_path: str) -> Path:
    """The file of a shipped config's name, or the path itself. ConfigError if there is neither."""
    path = Path(name_or_path)
    shipped = shipped_configs()
    try:
        if path.is_file():
            return path
        what = "is a folder" if path.is_dir() else "is neither a file nor a shipped study config"
    except (OSError, ValueError) as error:  # too long for a path, with a null character, in a closed folder
        what = f"is no path: {error}"[:200]
    if name_or_path in shipped:
        return shipped[name_or_path]
    raise ConfigError(f"`config` {_short(name_or_path)} {what}; shipped are: {', '.join(shipped) or 'none'}")


def load_config(name_or_path: str | Path, overrides: Mapping[str, Any] | None = None) -> StudyConfig:
    """The validated config of a YAML file or of a shipped config's name (digits, cifar10, paper/...).

    `overrides` replace values by their key path: `{"training.epochs": 2}`. ConfigError names the file, the key
    path, the value and what is allowed.
    """
    path = find_config(str(name_or_path))
    config = parse_config(read_yaml(path), str(path))
    return with_overrides(config, overrides) if overrides else config


def parse_config(data: Any, source: str) -> StudyConfig:
    """The config of plain data (from YAML or from a study). `source` is named in errors."""
    if not isinstance(data, Mapping):
        raise ConfigError(f"{source}: a study config is a mapping of keys such as name, k and data, not {_short(data)}")
    try:
        # Through JSON, so that strict types still take lists for tuples and names for gates.
        return StudyConfig.model_validate_json(json.dumps(data))
    except (TypeError, ValueError, RecursionError) as error:
        if not isinstance(error, ValidationError):
            found = _not_json(data) if isinstance(error, TypeError) else None
            raise ConfigError(f"{source}: {found or f'holds a value that a config cannot: {error}'}") from error
        lines = [_explain(source, problem, data) for problem in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from None


def with_overrides(config: StudyConfig, overrides: Mapping[str, Any], source: str = "overrides") -> StudyConfig:
    """The config with some values replaced, validated again: `{"training.epochs": 2, "k": 4}`.

    ConfigError, which names `source`, for a key path that the config has not, or a value that is not allowed.
    """
    data = config.model_dump(mode="json")
    for settings, (_, beside) in NAMED_BESIDE.items():
        for section in data.values():
            chosen = [value for path, value in overrides.items() if str(path).split(".")[1:] == [beside]]
            if isinstance(section, dict) and settings in section and chosen and chosen[0] != section[beside]:
                section[settings] = {}  # they are of the member that is replaced
    for path, value in overrides.items():
        *sections, key = str(path).split(".")
        place = data
        for section in sections:
            if place.get(section) is None:  # a section that is left out
                place[section] = {}
            place = place[section]
            if not isinstance(place, dict):
                raise ConfigError(f"{source}: {path}: {section} is a value, not a section with keys of its own")
        place[key] = value
    return parse_config(data, source)


def _explain(source: str, problem: Mapping[str, Any], data: Any) -> str:
    """One line: file, key path, the value, what is allowed."""
    path = ".".join(str(part) for part in problem["loc"])
    where = f"{source}: {path}" if path else source
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; known here: {', '.join(_known_keys(problem['loc'][:-1], data))}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    message = problem["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if problem["type"] == "string_type" and isinstance(problem["input"], int | float):
        message += "; put it in quotes"  # YAML reads `1`, `yes` and `1e3` as something else than text
    if isinstance(problem["input"], Mapping):
        return f"{where}: {message}"
    return f"{where}: {_short(problem['input'])} is not allowed: {message}"


def _not_json(data: Any, path: str = "") -> str | None:
    """Key path and value of the first thing that YAML can write and a config cannot hold, such as a set."""
    if isinstance(data, Mapping | list):
        named = data.items() if isinstance(data, Mapping) else enumerate(data)
        problems = (_not_json(value, f"{path}.{key}" if path else str(key)) for key, value in named)
        return next((problem for problem in problems if problem is not None), None)
    if data is None or isinstance(data, str | int | float):
        return None
    return f"{path}: {_short(data)} is not allowed: a config holds texts, numbers, lists and sections"


def section_model(model: type[BaseModel], key: str, data: Any) -> type[BaseModel] | None:
    """The model of section `key` of `model`: where a name decides, of what `data` names; None if it is no section.

    `data` is that of `model`, with the section in it.
    """
    if key not in model.model_fields:
        return None
    data = data if isinstance(data, Mapping) else {}
    if key in NAMED_BESIDE:
        registry, beside = NAMED_BESIDE[key]
        chosen = data.get(beside, model.model_fields[beside].default)
        return member_settings(registry, chosen) if chosen in registry else Section
    section = _model_in(model.model_fields[key].annotation)
    inside = data.get(key)
    named: Any
    for base, registry, name, usual in NAMED_INSIDE:
        named = inside.get(name, usual) if isinstance(inside, Mapping) else usual
        if section is base and named in registry:
            return member_settings(registry, named)
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that stands anywhere in an annotation, such as that of `A | None`."""
    if inner := get_args(annotation):
        return next((found for one in inner if (found := _model_in(one)) is not None), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _known_keys(path: tuple[int | str, ...], data: Any) -> list[str]:
    """The keys of the section at `path` of a config."""
    model: type[BaseModel] = StudyConfig
    for part in path:
        if isinstance(part, int):
            named = data[part].get("name")  # the only list of sections is of metrics
            model = METRICS.get(named).settings if named in METRICS else MetricSettings
        else:
            model = section_model(model, part, data) or model
        data = data[part]
    return list(model.model_fields)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
