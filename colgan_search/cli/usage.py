"""What a wrong command line is told: the word that was refused, and what would be right."""

from typing import Any

import typer
from pydantic import ValidationError

UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The root of wrong command lines: click's, or that of the copy of click inside newer versions of typer."""


def explain(error: Any) -> str:
    """The error in one line, and where to read more."""
    text = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    if isinstance(error.__cause__, ValidationError):
        value = repr(error.__cause__.errors()[0]["input"])
        text += "" if value in text else f", not {value}"
    context = getattr(error, "ctx", None)
    if context is None:
        return text
    if text.startswith("No such option"):
        text += f"; the options are {', '.join(_options(context.command))}"
    elif text.startswith("No such command"):
        text += f"; the commands are {', '.join(context.command.commands)}"
    return f"{text}\nTry '{context.command_path} --help'."


def _options(command: Any) -> list[str]:
    """The long names of a command's options that people are meant to use."""
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    return [name for parameter in shown for name in parameter.opts if name.startswith("--")]
