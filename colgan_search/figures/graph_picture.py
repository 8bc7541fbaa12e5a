"""The picture of a knowledge transfer graph (the paper's figure 8): nodes, gated edges, each generator's IS."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, PathPatch, Polygon
from matplotlib.path import Path as Curve

from colgan_search.errors import BadInput
from colgan_search.figures.layout import Layout
from colgan_search.figures.pens import HOUSE, Pens, pens
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.gates import CUTOFF, Pen
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import MAX_IS, Objective, score_text
from colgan_search.roster import Node, generator

BEST_RING = "#c8930a"
INK = "#1a1a1a"
SMALLEST_DISC = 38.0
"""Radius of a generator's disc on paper, in points (1/72 inch), that still holds its name and score."""
LETTER_WIDTH, FILLED = 0.58, 1.7
"""A letter's mean width in font sizes, and how many radii of its disc a score may be wide."""
NARROWEST = 6.4
"""Width of the figure in inches that holds the legend."""


def _unit(layout: Layout) -> float:
    """The ring's radius on paper, in points."""
    return min(900.0, max(160.0, SMALLEST_DISC / layout.radius(generator(1))))


def draw_graph(
    graph: KnowledgeTransferGraph,
    paths: Path | str | Sequence[Path | str],
    scores: Sequence[float] | None = None,
    title: str | None = None,
    *,
    show_cutoff: bool = False,
    style: str = HOUSE,
    objective: Objective = MAX_IS,
) -> list[Path]:
    """Draws the graph to each path (.png, .svg or .pdf) and gives the paths; BadInput for any other suffix.

    `scores` are the IS of G1..Gk, or the numbers of another objective, written into the nodes (a dash for NaN); the
    best generator is ringed.
    Cut-off edges are left out, or faintly dotted with `show_cutoff` if the style has a pen for them. `style` is one of
    `pens.STYLES`; BadInput for another.
    """
    listed = picture_paths(paths)
    if scores is not None and len(scores) != graph.k:
        raise BadInput(f"{len(scores)} scores for a graph with k = {graph.k} generators; give one for each")
    return save_figure(
        graph_figure(graph, scores, title, show_cutoff=show_cutoff, style=style, objective=objective), listed
    )


def graph_figure(
    graph: KnowledgeTransferGraph,
    scores: Sequence[float] | None = None,
    title: str | None = None,
    *,
    show_cutoff: bool = False,
    style: str = HOUSE,
    objective: Objective = MAX_IS,
) -> Figure:
    """The figure that `draw_graph` saves, not attached to any window or global state."""
    drawn = {gate: pen for gate, pen in pens(style, graph.gates).items() if show_cutoff or gate is not CUTOFF}
    layout = Layout(graph.roster)
    best = _best(scores, objective)
    lines = textwrap.wrap(title or "", 60)
    low, high = layout.extent(margin=0.06)
    picture = (high - low) * _unit(layout) / 72
    below, above = 0.62, 0.1 + 0.25 * len(lines)
    width, height = max(picture[0], NARROWEST), picture[1] + below + above
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes(
        ((1 - picture[0] / width) / 2, below / height, picture[0] / width, picture[1] / height), aspect="equal"
    )
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_axis_off()
    _draw_edges(axes, graph, layout, drawn)
    for node in layout.nodes:
        score = None if scores is None or node.letter == "D" else scores[node.index]
        _draw_node(axes, layout, node, score, objective.label, best=node.letter == "G" and node.number == best)
    if lines:
        text = figure.text(0.5, 1 - 0.1 / height, "\n".join(lines), ha="center", va="top", fontsize=13, color=INK)
        text.set_parse_math(False)
    handles = [_legend_line(pen) for pen in drawn.values()]
    if best is not None:
        ringed = f"{'highest' if objective.higher_is_better else 'lowest'} {objective.label}"
        ring = Line2D([], [], ls="", marker="o", ms=11, mfc="white", mec=BEST_RING, mew=2.6, label=ringed)
        handles.append(ring)
    figure.legend(
        handles=handles, loc="lower center", ncols=3, columnspacing=1.6, frameon=False, fontsize=9, handlelength=3.2
    )
    return figure


def _best(scores: Sequence[float] | None, objective: Objective) -> int | None:
    """The number of the generator with the best score that is a number; None without one."""
    known = [(objective.rank(s), number) for number, s in enumerate(scores or (), start=1) if not math.isnan(s)]
    return min(known)[1] if known else None


def _draw_edges(axes: Axes, graph: KnowledgeTransferGraph, layout: Layout, drawn: Pens) -> None:
    """Each edge as a line and a head of its gate's colour; the head's tip just short of the target's rim."""
    length = (13.0 if graph.k <= 4 else 9.0) / _unit(layout)
    for edge, gate in graph.items():
        if gate not in drawn:
            continue
        pen, faint = drawn[gate], gate is CUTOFF
        points = layout.curve(edge, gap=0.02)
        along = points[3] - points[2]
        along /= np.linalg.norm(along)
        across = np.array([-along[1], along[0]])
        size = length * (0.7 if faint else 1.0)
        tip, base = points[3], points[3] - size * along
        line = Curve(np.vstack([points[:3], base]), [Curve.MOVETO, *[Curve.CURVE4] * 3])
        style = (0, pen.dashes) if pen.dashes else "-"
        axes.add_patch(
            PathPatch(
                line, fill=False, ec=pen.colour, lw=pen.width, ls=style, capstyle="butt", zorder=1 if faint else 2
            )
        )
        corners = [tip, base + 0.42 * size * across, base - 0.42 * size * across]
        axes.add_patch(Polygon(corners, closed=True, fc=pen.colour, ec="none", zorder=1 if faint else 3))


def _draw_node(axes: Axes, layout: Layout, node: Node, score: float | None, label: str, *, best: bool) -> None:
    """The disc of D or of a generator, with its name and, below it, its IS."""
    (x, y), radius = layout.centre(node), layout.radius(node)
    if node.letter == "D":
        face, rim, rim_width = "#e4e4e4", INK, 1.2
    else:
        face, rim, rim_width = ("#fff4d6", BEST_RING, 3.2) if best else ("white", INK, 1.2)
    axes.add_patch(Circle((x, y), radius, fc=face, ec=rim, lw=rim_width, zorder=4))
    points = radius * _unit(layout)
    lift = 0.0 if score is None else 0.3 * radius
    words = [(node.name, lift, min(17.0, 0.5 * points), "bold")]
    if score is not None:
        shown = f"{label} –" if math.isnan(score) else f"{label} {score_text(score)}"
        fitting = FILLED * points / (LETTER_WIDTH * len(shown))
        words.append((shown, -0.33 * radius, min(12.0, 0.36 * points, fitting), "normal"))
    for text, up, size, weight in words:
        axes.text(x, y + up, text, fontsize=size, weight=weight, ha="center", va="center", color=INK, zorder=5)


def _legend_line(pen: Pen) -> Line2D:
    return Line2D([], [], color=pen.colour, lw=pen.width, ls=(0, pen.dashes) if pen.dashes else "-", label=pen.label)
