"""Notes and plots in optuna-dashboard's own form: pieces of texts among the study's system attributes.

Its own functions read all attributes of a study for each note, so that 1,500 notes would be quadratic; importing them
takes seconds. A test compares with what they read.
"""

from collections.abc import Mapping

PIECE = 2045
"""Characters in one attribute."""
NOTE = "dashboard:note_"
"""Beginning of the keys of the study's own note."""
PLOT = "dashboard:plot_data:"


def note_attributes(text: str, trial: int | None = None, version: int = 1) -> dict[str, str | int]:
    """A note (Markdown) on the study, or on the trial of that id; with its version, which grows with every change."""
    of = "dashboard:" if trial is None else f"dashboard:{trial}:"
    return {f"{of}note_ver": version, **_pieces(text, f"{of}note_str:")}


def plot_attributes(name: str, figure: str) -> dict[str, str]:
    """A figure of plotly's, as its JSON, under a name of letters, digits, '-' and '_'."""
    return _pieces(figure, f"{PLOT}{name}:")


def emptied(new: Mapping[str, object], old: Mapping[str, object], prefix: str) -> dict[str, str]:
    """The pieces of a longer text of before, emptied."""
    return {key: "" for key in old if key.startswith(prefix) and key not in new}


def note_of(attributes: Mapping[str, object]) -> str:
    """The study's own note, put together."""
    prefix = f"{NOTE}str:"
    pieces = {int(key.removeprefix(prefix)): text for key, text in attributes.items() if key.startswith(prefix)}
    return "".join(str(pieces[at]) for at in sorted(pieces))


def _pieces(text: str, prefix: str) -> dict[str, str]:
    return {f"{prefix}{at // PIECE}": text[at : at + PIECE] for at in range(0, len(text), PIECE)}
