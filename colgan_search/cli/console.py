"""Printing: notes to standard error, results to standard output. Nothing printed here can steer a terminal."""

import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from colgan_search import logs
from colgan_search.cli.wording import as_typed


def note(text: str) -> None:
    """A line about what happens, on standard error, so that standard output holds results alone."""
    with suppress(OSError):  # a search does not end for a note that nobody can be told
        print(logs.visible(logs.without_secrets(as_typed(text))), file=sys.stderr, flush=True)  # noqa: T201


def typed() -> str:
    """The command line of this process, without its secrets, to be kept beside what it makes."""
    return shlex.join(["colgan-search", *(logs.without_secrets(word) for word in sys.argv[1:])])


def out(text: str, end: str = "\n") -> None:
    """A result, on standard output. JSON escapes by itself, and keeps the exact text."""
    print(logs.visible(text), end=end, flush=True)  # noqa: T201


class _Console(Console):
    """Shows text as it is: control characters visible, and no markup in it."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width=width, markup=False, emoji=False, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What rich itself says to the terminal (colours, the cursor) passes; what is in the text does not."""
        return self._visible(super().render(renderable, options))

    def _visible(self, segments: Iterable[Segment]) -> Iterator[Segment]:
        for text, style, control in segments:
            yield Segment(text if control else logs.visible(text), style, control)


def one_line(text: str) -> str:
    """The text in one line: a reason out of the database must not look like lines of ours."""
    return logs.visible(as_typed(text)).replace("\n", "\\n").replace("\t", "\\t")


def console() -> Console:
    """For tables and live views: as wide as they need to be when the output is a file."""
    made = _Console()
    return made if made.is_terminal else _Console(width=160)


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
