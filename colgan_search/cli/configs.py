"""What the command line says of a study config."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from colgan_search.cli import console
from colgan_search.config import StudyConfig, read_setting, with_overrides
from colgan_search.errors import ConfigError

KEY = re.compile(r"(data|network|transfer|training|evaluation|search)\.")


def overridden(config: StudyConfig, *options: tuple[str, str, Any]) -> StudyConfig:
    """The config with what options of the command line say: (option, key path, value; None = not given)."""
    for option, path, value in options:
        if value is not None:
            config = with_overrides(config, {path: value}, option)
    return config


def set_by(config: StudyConfig, settings: Sequence[str] | None) -> StudyConfig:
    """The config with the values of all `--set KEY=VALUE`, together. ConfigError for a key that stands twice."""
    values: dict[str, Any] = {}
    for text in settings or ():
        path, value = read_setting(text, "--set")
        if path in values:
            raise ConfigError(f"--set: {path} is given twice")
        values[path] = value
    return with_overrides(config, values, "--set") if values else config


@contextmanager
def of_config(name: str, config: StudyConfig) -> Iterator[None]:
    """A ConfigError inside the block that begins with a key gets the name of its config before it.

    Before the block, settings that have no effect are told.
    """
    every, epochs = config.evaluation.every_epochs, config.training.epochs
    if every is not None and every > epochs:
        console.note(
            f"{name}: evaluation.every_epochs: {every} is beyond training.epochs {epochs}: scored at the end alone"
        )
    with named(name):
        yield


@contextmanager
def named(name: str) -> Iterator[None]:
    """A ConfigError inside the block that begins with a key gets `name`, of what holds the key, before it."""
    try:
        yield
    except ConfigError as error:
        if KEY.match(str(error)):
            raise ConfigError(f"{name}: {error}") from None
        raise
