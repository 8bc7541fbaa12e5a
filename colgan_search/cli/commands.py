"""The program's commands: a file each, imported when it is asked for and not before."""

import ast
import inspect
from collections.abc import Iterator, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = (
    "launch",
    "worker",
    "drain",
    "confirm",
    "studies",
    "status",
    "best",
    "trials",
    "enqueue",
    "train",
    "evaluate",
    "sample",
    "reproduce",
    "rehearse",
    "report",
    "figures",
    "graphs",
    "config",
    "dashboard",
    "prepare",
    "doctor",
    "clean",
    "copy",
    "rename",
    "delete",
)
"""In the order in which help lists them; each is `command` in the file of its name."""


class _Loaded(MutableMapping[str, Any]):
    """Name -> command, made from its file at the first use."""

    def __init__(self) -> None:
        self._there: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._there:
            self._there[name] = _load(name)
        return self._there[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._there[name] = command

    def __delitem__(self, name: str) -> None:
        del self._there[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The program as a group of commands that lists all of them without importing any."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Loaded()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Every command with the first sentence of its help, whole."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in COMMANDS])


def summary(name: str) -> str:
    """The first sentence of a command's help, read from its file, which is not run."""
    source = find_spec(f"colgan_search.cli.{name}")
    assert source is not None and source.loader is not None
    text = source.loader.get_source(source.name)  # type: ignore[attr-defined]
    functions = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    help_text = next(ast.get_docstring(node) for node in functions if node.name == "command") or ""
    return inspect.cleandoc(help_text).partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(".")


def _load(name: str) -> Any:
    module = import_module(f"colgan_search.cli.{name}")
    one = typer.Typer(add_completion=False, rich_markup_mode=None)
    # \b keeps the example on one line, as it is to be typed.
    one.command(name, epilog=f"\b\nExample: {module.EXAMPLE}")(module.command)
    return typer.main.get_command(one)
