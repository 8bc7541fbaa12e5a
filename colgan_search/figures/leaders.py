"""Leading graphs side by side: each one's runs, and its estimate with the 95 % interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from colgan_search.errors import BadInput
from colgan_search.figures.styles import FAINT, INK, SMALL_SIZE, TEXT_SIZE, heading, tidy_axes

EARLIER, ESTIMATE = "#12355b", "#c8930a"


@dataclass(frozen=True)
class Leader:
    """One row."""

    name: str
    runs: Sequence[float]
    estimate: float | None
    low: float | None
    high: float | None
    """Ends of its 95 % interval."""


def leaders_figure(leaders: Sequence[Leader], label: str, title: str | None = None) -> Figure:
    """Points: runs; diamond and bar: the estimate with its interval. `label`: the objective's. BadInput without any."""
    if not leaders:
        raise BadInput("no graphs to draw")
    figure = Figure(figsize=(7.0, 0.9 + 0.42 * len(leaders)), layout="constrained")
    axes = figure.add_subplot()
    tidy_axes(axes, grid=False)
    axes.grid(axis="x", color="#e3e3e3", lw=0.7)
    for y, leader in enumerate(leaders):
        axes.scatter(leader.runs, [y] * len(leader.runs), s=22, color=EARLIER, alpha=0.45, linewidths=0, zorder=2)
        if leader.low is not None and leader.high is not None:
            axes.plot([leader.low, leader.high], [y, y], color=ESTIMATE, lw=2.2, solid_capstyle="butt", zorder=3)
        if leader.estimate is not None:
            axes.plot([leader.estimate], [y], marker="D", ms=6, color=ESTIMATE, mec=INK, mew=0.6, ls="", zorder=4)
    axes.set_yticks(range(len(leaders)), [leader.name for leader in leaders], parse_math=False, fontsize=SMALL_SIZE)
    axes.set_ylim(len(leaders) - 0.5, -0.5)
    axes.set_xlabel(f"{label}; dots: runs, diamond: estimate with its 95 % interval", fontsize=TEXT_SIZE, color=INK)
    axes.spines["left"].set_color(FAINT)
    heading(figure, title)
    return figure
