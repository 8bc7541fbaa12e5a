"""Rehearsed searches: regret of the named graph against trials and against training time, a row per problem."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, heading, look, tidy_axes


@dataclass(frozen=True)
class Curve:
    """One strategy's regret over budgets, with the ends of its band."""

    budgets: tuple[float, ...]
    """Trials, or hours; above 0."""
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Panels:
    """One problem."""

    unit: str
    by_trials: Mapping[str, Curve]
    """Strategy -> its curve."""
    by_hours: Mapping[str, Curve]


def draw_regret(
    problems: Mapping[str, Panels], paths: Path | str | Sequence[Path | str], title: str | None = None
) -> list[Path]:
    """Draws `regret_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(regret_figure(problems, title), listed)


def regret_figure(problems: Mapping[str, Panels], title: str | None = None) -> Figure:
    """A row per problem: left against trials, right against training time; one line per strategy, the same in all rows,
    with a band for its interval. BadInput without problems."""
    if not problems:
        raise BadInput("no rehearsed searches to draw")
    names = list(dict.fromkeys(name for panels in problems.values() for name in panels.by_trials))
    number = {name: place for place, name in enumerate(names, start=1)}
    figure = Figure(figsize=(9.4, 0.8 + 2.5 * len(problems)), layout="constrained")
    rows = figure.subplots(len(problems), 2, sharey="row", squeeze=False)
    for (left, right), (problem, panels) in zip(rows, problems.items(), strict=True):
        for axes, curves, label in ((left, panels.by_trials, "trials"), (right, panels.by_hours, "hours of training")):
            _draw(axes, curves, number)
            axes.set_xlabel(label, fontsize=SMALL_SIZE, color=INK)
        left.set_ylabel(f"regret, {panels.unit}", fontsize=SMALL_SIZE, color=INK)
        left.set_title(problem, fontsize=TEXT_SIZE, color=INK, loc="left").set_parse_math(False)
    handles = [
        Line2D([], [], color=look(place).colour, marker=look(place).marker, ms=5, lw=1.5, ls=_dashes(place), label=name)
        for name, place in number.items()
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=SMALL_SIZE, handlelength=3.4)
    heading(figure, title)
    return figure


def _draw(axes: Axes, curves: Mapping[str, Curve], number: Mapping[str, int]) -> None:
    tidy_axes(axes)
    for name, curve in curves.items():
        style = look(number[name])
        axes.fill_between(curve.budgets, curve.low, curve.high, color=style.colour, alpha=0.15, lw=0)
        face = "white" if style.open_marker else style.colour
        axes.plot(
            curve.budgets,
            curve.mean,
            color=style.colour,
            marker=style.marker,
            ms=5,
            mfc=face,
            lw=1.5,
            ls=_dashes(number[name]),
        )
    lowest = min((low for curve in curves.values() for low in curve.low), default=0.0)
    axes.set_ylim(bottom=min(0.0, lowest))
    axes.set_xlim(left=0.0)


def _dashes(number: int) -> str | tuple[float, tuple[float, ...]]:
    dashes = look(number).dashes
    return (0.0, dashes) if dashes else "-"
