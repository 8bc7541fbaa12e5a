"""The objective (inception score) over epochs, one line per generator, one panel per run."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, Look, heading, look, tidy_axes
from colgan_search.records import MAX_IS, EpochScores, Outcome

PANELS_ACROSS = 3


def draw_epochs(
    runs: Mapping[str, Outcome], paths: Path | str | Sequence[Path | str], title: str | None = None
) -> list[Path]:
    """Draws `epochs_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(epochs_figure(runs, title), listed)


def epochs_figure(runs: Mapping[str, Outcome], title: str | None = None) -> Figure:
    """A panel per entry of `runs` (label -> outcome), all with the same axes: IS of G1..Gk after each scored epoch, or
    whatever else was the objective.

    The scores at the end are larger marks where they were measured otherwise than those on the way (more images, more
    splits), at the epoch of the weights that they belong to, and the line below the panel says how. BadInput if
    there are no runs, one was never scored, or their objectives differ.
    """
    if not runs:
        raise BadInput("no runs to draw; give the outcome of at least one")
    for label, outcome in runs.items():
        if not outcome.history:
            raise BadInput(f"{label}: was never scored" + (f" ({outcome.diverged})" if outcome.diverged else ""))
    objectives = {outcome.history[-1].scores.objective for outcome in runs.values()}
    if len(objectives) > 1:
        raise BadInput(f"the runs have several objectives: {', '.join(sorted(one.words for one in objectives))}")
    (objective,) = objectives
    across = min(PANELS_ACROSS, len(runs))
    down = math.ceil(len(runs) / across)
    figure = Figure(figsize=(1.9 + 3.1 * across, 0.6 + 2.9 * down), layout="constrained")
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for axes, (label, outcome) in zip(panels, runs.items(), strict=False):
        _draw_run(axes, label, outcome)
    last = max(outcome.history[-1].epoch for outcome in runs.values())
    panels[0].set_xlim(0, 1.04 * last)
    for axes in panels[len(runs) :]:
        axes.set_axis_off()
    for axes in panels[::across]:
        axes.set_ylabel("inception score" if objective == MAX_IS else objective.label, fontsize=TEXT_SIZE, color=INK)
    most = max(len(outcome.history[-1].scores.generators) for outcome in runs.values())
    figure.legend(
        handles=[_handle(number) for number in range(1, most + 1)],
        loc="outside right upper",
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=3.4,
        ncols=math.ceil(most / 16),
    )
    heading(figure, title)
    return figure


def _draw_run(axes: Axes, label: str, outcome: Outcome) -> None:
    tidy_axes(axes)
    *before, end = outcome.history
    objective = end.scores.objective
    otherwise = bool(before) and before[-1].scores.protocol != end.scores.protocol
    # The end joins the line, unless the same epoch was scored in the line's own way as well.
    line = before if otherwise and before[-1].epoch == end.epoch else [*before, end]
    for number, score in enumerate(end.scores.generators, start=1):
        style = look(number)
        scores = [moment.scores.generators[number - 1].metrics[objective.number] for moment in line]
        (drawn,) = axes.plot([moment.epoch for moment in line], scores, label=f"G{number}", **_strokes(style))
        if style.dashes:
            drawn.set_dashes(style.dashes)
        if otherwise:
            at = outcome.best_epochs[number - 1] if outcome.best_epochs else end.epoch
            value = score.metrics[objective.number]
            axes.plot([at], [value], color=style.colour, marker=style.marker, ms=8, mew=1.6, ls="", zorder=4)
    axes.set_title(label, fontsize=TEXT_SIZE, color=INK).set_parse_math(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.tick_params(labelbottom=True)
    below = "epoch"
    if otherwise:
        below += f"\nsmall: {_measure(before[-1])}\nlarge: {_measure(end)}"
        if outcome.best_epochs:
            below += ", at its best"
    axes.set_xlabel(below, fontsize=SMALL_SIZE, color=INK)


def _measure(moment: EpochScores) -> str:
    protocol = moment.scores.protocol
    return f"{protocol.images:,} images" + (f" in {protocol.splits} splits" if protocol.splits > 1 else "")


def _strokes(style: Look) -> dict[str, Any]:
    face = "white" if style.open_marker else style.colour
    return {"color": style.colour, "lw": 1.5, "marker": style.marker, "ms": 5, "mfc": face, "mew": 1.2}


def _handle(number: int) -> Line2D:
    style = look(number)
    return Line2D([], [], ls=(0, style.dashes) if style.dashes else "-", label=f"G{number}", **_strokes(style))
