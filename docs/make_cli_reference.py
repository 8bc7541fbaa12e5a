"""Writes docs/cli.md from the commands themselves: `python docs/make_cli_reference.py`."""

import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import typer

from colgan_search.cli.app import app
from colgan_search.cli.commands import COMMANDS

REFERENCE = Path(__file__).with_name("cli.md")
HEAD = """# Command line

Made by `python docs/make_cli_reference.py` from the commands' own help; a test keeps it up to date.
Exit codes: 0 well, 1 failed, 2 bad input (nothing was written). Results go to standard output, notes to standard error.
"""


def reference() -> str:
    """The text of docs/cli.md."""
    program: Any = typer.main.get_command(app)
    return "\n".join([HEAD, *(line for name in COMMANDS for line in _section(name, program.commands[name]))])


def _section(name: str, command: Any) -> Iterator[str]:
    """What a command does, an example, and a table of its options."""
    yield f"## {name}\n\n{inspect.cleandoc(command.help)}\n\n`{command.epilog.split('Example: ')[1]}`\n"
    yield "| option | what it means | default |\n|---|---|---|"
    for option in command.params:
        if not getattr(option, "hidden", False):
            names = " ".join(f"`{text}`" for text in _names(option))
            yield f"| {names} | {(option.help or '').replace('|', '/')} | {_default(option)} |"
    yield ""


def _names(option: Any) -> list[str]:
    """`--option`, or an argument's name in capitals."""
    return list(option.opts) if option.param_type_name == "option" else [str(option.name).upper()]


def _default(option: Any) -> str:
    if option.required:
        return "required"
    value = option.default.value if isinstance(option.default, Enum) else option.default
    return "" if value is None or value is False else f"`{value}`"


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
