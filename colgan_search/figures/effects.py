"""Which edges and gates matter: marginal effects with their intervals, class of edges by class of edges."""

from __future__ import annotations  # so that scikit-learn is not imported for a name

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import FAINT, INK, SMALL_SIZE, TEXT_SIZE, heading, tidy_axes
from colgan_search.gates import get_gate

if TYPE_CHECKING:
    from colgan_search.surrogate.effects import Effect

MARKERS = ("o", "x", "^", "v", "s", "D", "P", "*")
"""One per gate, so that gates are told apart without colour."""
FAR = 4.0
"""So many times the reach of three quarters of them, an effect is written at the edge: it would squash the others."""
BETWEEN = 0.16
"""Between the gates of one class; classes are 1 apart."""


def draw_effects(
    effects: Sequence[Effect],
    paths: Path | str | Sequence[Path | str],
    title: str | None = None,
    *,
    label: str = "IS",
    importance: Mapping[str, float] = {},
) -> list[Path]:
    """Draws `effects_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(effects_figure(effects, title, label=label, importance=importance), listed)


def effects_figure(
    effects: Sequence[Effect], title: str | None = None, *, label: str = "IS", importance: Mapping[str, float] = {}
) -> Figure:
    """One row per class of edges, one point with its 95 % interval per gate: the mean of the graphs with that gate on
    an edge of the class, less that of all graphs. An effect far beyond the others stands as a number at the edge.
    `label`: of the objective, in whose units they are.

    `importance` (fANOVA, 0..1) stands under the name of its class. BadInput if there are no effects.
    """
    if not effects:
        raise BadInput("no effects to draw; a study with enough trials has some")
    classes = list(dict.fromkeys(effect.edges for effect in effects))
    gates = list(dict.fromkeys(effect.gate for effect in effects))
    figure = Figure(figsize=(6.6, 1.3 + 0.62 * len(classes)), layout="constrained")
    axes = figure.add_subplot()
    tidy_axes(axes, grid=False)
    axes.axvline(0.0, color=FAINT, lw=0.9, zorder=1)
    edge = _edge(effects)
    for effect in effects:
        at = gates.index(effect.gate)
        y = classes.index(effect.edges) + BETWEEN * (at - (len(gates) - 1) / 2)
        colour = get_gate(effect.gate).pen.colour
        if abs(effect.mean) > edge:
            side = 1.0 if effect.mean > 0.0 else -1.0
            half = (effect.high - effect.low) / 2
            axes.plot([side * edge], [y], ls="", marker="<>"[side > 0], ms=5.5, color=colour, zorder=3)
            axes.annotate(
                f"{effect.mean:+.2f} \u00b1 {half:.2f}",
                (side * edge, y),
                xytext=(-7 * side, 0),
                textcoords="offset points",
                ha="right" if side > 0 else "left",
                va="center",
                fontsize=SMALL_SIZE,
                color=INK,
            )
            continue
        axes.plot([effect.low, effect.high], [y, y], color=colour, lw=1.6, zorder=2, solid_capstyle="butt")
        axes.plot([effect.mean], [y], ls="", marker=MARKERS[at % len(MARKERS)], ms=5.5, mew=1.4, color=colour, zorder=3)
    for between in range(1, len(classes)):
        axes.axhline(between - 0.5, color="#e3e3e3", lw=0.7, zorder=0)
    names = [f"{name}\nfANOVA {importance[name]:.2f}" if name in importance else name for name in classes]
    axes.set_yticks(range(len(classes)), names, parse_math=False)
    axes.set_ylim(len(classes) - 0.5, -0.5)
    if any(abs(effect.mean) > edge for effect in effects):
        axes.set_xlim(-1.05 * edge, 1.05 * edge)
    axes.set_xlabel(
        f"{label} with this gate on such an edge, less the mean of all graphs", fontsize=TEXT_SIZE, color=INK
    )
    handles = [
        Line2D([], [], color=get_gate(gate).pen.colour, marker=MARKERS[at % len(MARKERS)], lw=1.6, label=gate)
        for at, gate in enumerate(gates)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=SMALL_SIZE)
    heading(figure, title)
    return figure


def _edge(effects: Sequence[Effect]) -> float:
    """How far from 0 the picture goes, if there is anything beyond it."""
    reaches = sorted(max(abs(effect.low), abs(effect.high)) for effect in effects)
    limit = FAR * reaches[(len(reaches) - 1) * 3 // 4]
    return max(reach for reach in reaches if reach <= limit)
