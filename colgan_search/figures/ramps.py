"""The four gates: the weight on an edge's loss over the progress of training (section 3.2 of the paper)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from colgan_search.figures.pens import HOUSE, pens
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, heading, tidy_axes
from colgan_search.gates import CUTOFF, NEGATIVE, POSITIVE, THROUGH

PLACES = {
    THROUGH: (0.5, 0, 5, "center", "bottom"),
    POSITIVE: (0.7, 8, -1, "left", "top"),
    NEGATIVE: (0.3, -8, -1, "right", "top"),
    CUTOFF: (0.5, 0, 5, "center", "bottom"),
}
"""Where a line carries its gate's name: progress, offset in points, alignment; the linear ones right and left of their
crossing."""


def draw_ramps(paths: Path | str | Sequence[Path | str], title: str | None = None) -> list[Path]:
    """Draws `ramps_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(ramps_figure(title), listed)


def ramps_figure(title: str | None = None) -> Figure:
    """Every gate's weight (0 to 1) over progress p = t / (T - 1), in the pens of the graph's picture."""
    figure = Figure(figsize=(4.6, 3.5), layout="constrained")
    axes = figure.add_subplot()
    tidy_axes(axes)
    progress = np.linspace(0.0, 1.0, 101)
    for gate, pen in pens(HOUSE).items():
        weights = [gate.weight(float(p)) for p in progress]
        # A cut-off edge is faint in a graph; here its line is one of four.
        colour, width = ("#6b6b6b", 1.8) if gate is CUTOFF else (pen.colour, pen.width)
        (line,) = axes.plot(progress, weights, color=colour, lw=width, label=gate.name, clip_on=False, zorder=3)
        if pen.dashes:
            line.set_dashes(pen.dashes)
        at, right, up, horizontal, vertical = PLACES[gate]
        axes.annotate(
            gate.name,
            (at, gate.weight(at)),
            xytext=(right, up),
            textcoords="offset points",
            ha=horizontal,
            va=vertical,
            fontsize=TEXT_SIZE,
            color=INK,
        )
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(-0.03, 1.1)
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_xticks([0.0, 0.25, 0.5, 0.75, 1.0], ["0\nfirst iteration", "0.25", "0.5", "0.75", "1\nlast iteration"])
    axes.set_xlabel("progress p", fontsize=TEXT_SIZE, color=INK)
    axes.set_ylabel("weight on the edge's loss", fontsize=TEXT_SIZE, color=INK)
    axes.tick_params(labelsize=SMALL_SIZE)
    heading(figure, title)
    return figure
