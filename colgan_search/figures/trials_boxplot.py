"""The paper's figure 7: the IS of all trials, one box per transfer method."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import FAINT, INK, SMALL_SIZE, TEXT_SIZE, heading, tidy_axes
from colgan_search.records import score_text

BOX, SCATTER = 0.42, 0.15
"""Width of a box, and how far points lie to the side of its middle; boxes are 1 apart."""


def draw_trials_boxplot(
    values: Mapping[str, Sequence[float]],
    paths: Path | str | Sequence[Path | str],
    title: str | None = None,
    *,
    label: str = "IS",
) -> list[Path]:
    """Draws `trials_boxplot_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(trials_boxplot_figure(values, title, label=label), listed)


def trials_boxplot_figure(
    values: Mapping[str, Sequence[float]], title: str | None = None, *, label: str = "IS"
) -> Figure:
    """One box per entry of `values`: transfer method -> IS (the maximum over generators) of every trial.

    `label`: another objective's.

    Box: quartiles; thick line: median, with its number; whiskers: the last trial within 1.5 times the box's height;
    points: every trial, also the outliers. The number of trials stands under the label. BadInput if there are no
    values or one is not finite.
    """
    if not values:
        raise BadInput("no trials to draw; give the IS of at least one study")
    for method, scores in values.items():
        if not len(scores) or not all(math.isfinite(score) for score in scores):
            raise BadInput(f"{method}: its IS are {list(scores)[:5]}; at least one, and finite numbers, are needed")
    figure = Figure(figsize=(max(3.6, 1.1 + 1.75 * len(values)), 4.4), layout="constrained")
    axes = figure.add_subplot()
    tidy_axes(axes)
    positions = list(range(1, len(values) + 1))
    for position, scores in zip(positions, values.values(), strict=True):
        aside = np.random.default_rng(position).uniform(-SCATTER, SCATTER, len(scores))
        faint, size = min(0.75, max(0.15, 12 / len(scores) ** 0.6)), 9 if len(scores) > 60 else 18
        axes.scatter(position + aside, scores, s=size, color=FAINT, alpha=faint, linewidths=0, zorder=2)
        median = float(np.median(scores))
        axes.annotate(
            score_text(median),
            (position + BOX / 2, median),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL_SIZE,
            color=INK,
        )
    axes.boxplot(
        list(values.values()),
        positions=positions,
        widths=BOX,
        whis=1.5,
        showfliers=False,
        medianprops={"color": INK, "linewidth": 2.4, "solid_capstyle": "butt"},
        boxprops={"color": INK, "linewidth": 1.1},
        whiskerprops={"color": INK, "linewidth": 1.0},
        capprops={"color": INK, "linewidth": 1.0},
        zorder=3,
    )
    labels = [f"{method}\nn = {len(scores):,}" for method, scores in values.items()]
    axes.set_xticks(positions, labels, parse_math=False)
    axes.tick_params(axis="x", length=0, pad=6)
    axes.set_xlim(0.4, len(values) + 0.6)
    axes.set_ylabel(f"{'inception score' if label == 'IS' else label} of a trial", fontsize=TEXT_SIZE, color=INK)
    heading(figure, title)
    return figure
