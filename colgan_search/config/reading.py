"""YAML text to plain data: bounded in size, in depth and in what aliases make of it."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from colgan_search.errors import ConfigError

MAX_BYTES = 2**20
"""Of a file; a config has one or two thousand."""
MAX_VALUES = 10_000
"""Of a config with every alias written out; a config has some fifty."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1 with `2e-4` read as a number and a date as text; keys that stand twice and bombs are refused."""

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        _require_few_values(node)
        return self.construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(problem="a key is one word", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


# `name: 2026-01-01` is a name.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> Any:
    """The plain data of a YAML file. ConfigError names the file and says what is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigError(f"{path}: is larger than {MAX_BYTES:,} bytes: no study config")
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        return yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        # Not only YAMLError: PyYAML lets the errors of int(), float() and the like through.
        problem = " ".join(str(error).split()).replace(' in "<unicode string>",', " at")
        raise ConfigError(f"{path}: is not valid YAML: {problem}") from error


def read_setting(text: str, source: str) -> tuple[str, Any]:
    """Key path and value of `training.epochs=20`; the value is read as YAML reads it, so lists and null may be given.

    ConfigError, which names `source`, for what is not of this form.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip() or not all(part.strip() for part in path.split(".")):
        raise ConfigError(f"{source}: {text[:80]!r} is not of the form KEY=VALUE, such as training.epochs=20")
    if len(value) > MAX_BYTES:
        raise ConfigError(f"{source}: {path}: its value is larger than {MAX_BYTES:,} bytes")
    try:
        return path.strip(), yaml.load(value, Loader=_Loader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        problem = " ".join(str(error).split())
        raise ConfigError(f"{source}: {path.strip()}: {value[:80]!r} cannot be read: {problem}") from error


def _require_few_values(root: yaml.Node) -> None:
    """YAMLError if the node holds more than MAX_VALUES values with all aliases written out, or itself."""
    sizes: dict[int, int | None] = {}
    """By the node's id; None while it is being counted."""

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node), -1)
        if known is None:
            raise yaml.MarkedYAMLError(problem="an alias stands inside what it names", problem_mark=node.start_mark)
        if known != -1:
            return known
        sizes[id(node)] = None
        inside = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        total = 1 + (0 if isinstance(node, yaml.ScalarNode) else sum(size(part) for part in inside))
        if total > MAX_VALUES:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_VALUES:,} values when its aliases are written out",
                problem_mark=node.start_mark,
            )
        sizes[id(node)] = total
        return total

    size(root)
