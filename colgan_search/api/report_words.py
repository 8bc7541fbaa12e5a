"""Numbers and texts of a report."""

import re

from colgan_search.logs import visible
from colgan_search.racing.answer import AgainstBaseline
from colgan_search.records import Objective

MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~-])")


def duration(seconds: float | None) -> str:
    """`3.2 h`, `12 min`, `9 s`."""
    if seconds is None:
        return "–"
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"


def signed(value: float) -> str:
    """`+0.12`."""
    return f"{value:+.3f}"


def in_markdown(text: object) -> str:
    """The text as Markdown that shows it as it is, in one line."""
    one_line = visible(str(text)).replace("\n", " ").replace("\t", " ")
    return MARKDOWN.sub(r"\\\1", one_line)


def verdict(one: AgainstBaseline, objective: Objective) -> str:
    """What the winner is against a baseline."""
    if one.same:
        return "the winner is this baseline"
    words = {"yes": "better", "no": "worse", "not run": "too few runs yet"}.get(one.verdict.value, one.verdict.value)
    return f"{words} (lower is better)" if not objective.higher_is_better and one.difference else words
