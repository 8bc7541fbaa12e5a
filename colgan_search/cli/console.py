"""Printing: notes to standard error, results to standard output."""

import shlex
import sys

from rich.console import Console

from colgan_search import logs


def note(text: str) -> None:
    """A line about what happens, on standard error, so that standard output holds results alone."""
    print(logs.without_secrets(text), file=sys.stderr, flush=True)  # noqa: T201


def typed() -> str:
    """The command line of this process, without its secrets, to be kept beside what it makes."""
    return shlex.join(["colgan-search", *(logs.without_secrets(word) for word in sys.argv[1:])])


def out(text: str) -> None:
    """A result, on standard output."""
    print(text, flush=True)  # noqa: T201


def console() -> Console:
    """For tables: as wide as they need to be when the output is a file."""
    made = Console()
    return made if made.is_terminal else Console(width=160)


def optional(value: object) -> str:
    """Text of a value, nothing for None."""
    return "" if value is None else str(value)


def duration(seconds: float) -> str:
    """`3 h 20 min`, `2 min 5 s`, `9 s`."""
    whole = round(seconds)
    for size, name, smaller, smaller_name in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name} {rest} {smaller_name}" if rest else f"{whole // size} {name}"
    return f"{whole} s"
