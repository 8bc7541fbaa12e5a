"""Every trial's value in the order of the trials, the best so far, and what the named graph is believed to be worth."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from colgan_search.errors import BadInput
from colgan_search.figures.styles import FAINT, INK, SMALL_SIZE, TEXT_SIZE, heading, tidy_axes
from colgan_search.records import Objective

BAND = "#e0b13c"


def best_so_far_figure(
    numbers: Sequence[int],
    values: Sequence[float],
    objective: Objective,
    named: tuple[float, float, float] | None = None,
    title: str | None = None,
) -> Figure:
    """Points: the value of each trial; the line: the best of all until then, which is the luckiest run and flatters.

    `named`: estimate, and the ends of its 95 % interval, of the graph that the study names; a band. BadInput without
    trials.
    """
    if not numbers:
        raise BadInput("no trials to draw")
    figure = Figure(figsize=(7.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    tidy_axes(axes)
    best: list[float] = []
    for value in values:
        best.append(value if not best else objective.best((best[-1], value)))
    if named is not None:
        estimate, low, high = named
        axes.axhspan(low, high, color=BAND, alpha=0.25, lw=0)
        axes.axhline(estimate, color=BAND, lw=1.4, label="named graph, with its 95 % interval")
    faint = min(0.8, max(0.2, 20 / len(values) ** 0.6))
    size = 9 if len(values) > 200 else 20
    axes.scatter(numbers, values, s=size, color=FAINT, alpha=faint, linewidths=0, label="a trial", zorder=2)
    axes.step(numbers, best, where="post", color=INK, lw=1.6, label="luckiest run so far", zorder=3)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("trial", fontsize=TEXT_SIZE, color=INK)
    axes.set_ylabel(objective.label, fontsize=TEXT_SIZE, color=INK)
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL_SIZE)
    heading(figure, title)
    return figure
