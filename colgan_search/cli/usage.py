"""What a wrong command line is told: the word that was refused, and what would be right."""

import re
from difflib import get_close_matches
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
        known = _options(context.command)
        text = f"{_without_hint(text)}{_near(text, known)}; the options are {', '.join(known)}"
    elif text.startswith("No such command"):
        known = list(context.command.commands)
        text = f"{_without_hint(text)}{_near(text, known)}; the commands are {', '.join(known)}"
    return f"{text}\nTry '{context.command_path} --help'."


def _without_hint(text: str) -> str:
    """The message without what typer itself may suggest."""
    return re.split(r"\.? (?:Did you mean|\(Possible options)", text)[0]


def _near(text: str, known: list[str]) -> str:
    """A word that the refused one, which stands in quotes or at the end, may have been meant for."""
    refused = re.findall(r"'([^']*)'", text)
    found = get_close_matches(refused[0] if refused else text.split()[-1], known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]}?" if found else ""


def _options(command: Any) -> list[str]:
    """The long names of a command's options that people are meant to use."""
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    return [name for parameter in shown for name in parameter.opts if name.startswith("--")]
