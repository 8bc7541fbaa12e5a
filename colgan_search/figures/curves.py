"""A training over its epochs: losses of D and of the edges, what D knows, gate weights, scores; from its table."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from colgan_search.errors import BadInput
from colgan_search.figures.saving import picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, heading, look, tidy_axes

WIDTH, PANEL, TOP, BOTTOM, LEFT, LEGEND, LETTER, LINE = 8.2, 1.75, 0.62, 0.5, 0.62, 0.62, 0.085, 0.19
"""In inches: the figure, a panel, above, below and left of them; a legend's sample and letter, and its lines apart."""

Table = Mapping[str, Sequence[float]]
"""Column -> a number for each epoch; NaN where there is none."""

PANELS = (
    ("loss of D", lambda name: " on " in name),
    ("loss of an edge, before its gate", lambda name: "->" in name and not name.startswith("gate ")),
    ("images that D knows, share", lambda name: " knows " in name),
    ("weight of a gate", lambda name: name.startswith("gate ")),
    ("{label}", lambda name: False),
)
"""Title, and which columns belong to it; the last one's are the objective's."""


def read_curves(text: str, where: str) -> dict[str, list[float]]:
    """The table that a training leaves (CSV). BadInput, which begins with `where`, if it is none."""
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        table = {name: [float(row[name] or "nan") for row in rows] for name in rows[0]}
    except (csv.Error, ValueError, TypeError, IndexError, KeyError) as error:
        raise BadInput(f"{where}: is not the table of a training: {error}") from None
    if "epoch" not in table:
        raise BadInput(f"{where}: is not the table of a training: it has no column epoch")
    return table


def draw_curves(
    table: Table,
    paths: Path | str | Sequence[Path | str],
    title: str | None = None,
    *,
    number: str = "is_mean",
    label: str = "IS",
) -> list[Path]:
    """Draws `curves_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(curves_figure(table, title, number=number, label=label), listed)


def curves_figure(table: Table, title: str | None = None, *, number: str = "is_mean", label: str = "IS") -> Figure:
    """A panel for each kind of column in the table; `number` and `label` are the objective's. BadInput if none."""
    panels = []
    for words, belongs in PANELS:
        columns = [name for name in table if belongs(name)] if words != "{label}" else _scores(table, number)
        columns = [name for name in columns if any(math.isfinite(value) for value in table[name])]
        columns = [name for name in columns if not name.startswith("gate ") or any(table[name])]  # not cut-off edges
        if columns:
            panels.append((words.format(label=label), columns))
    if not panels:
        raise BadInput("the table has nothing to draw: the training ended before its first epoch")
    heights = [max(PANEL, LINE * len(columns)) for _, columns in panels]
    height = TOP + sum(heights) + BOTTOM
    figure = Figure(figsize=(WIDTH, height))
    # Places of our own: Matplotlib's layout engine takes as long as all the drawing, and a worker draws every trial's.
    longest = max(len(_short(name)) for _, columns in panels for name in columns)
    figure.subplots_adjust(
        left=LEFT / WIDTH,
        right=1 - (LEGEND + LETTER * longest) / WIDTH,
        top=1 - TOP / height,
        bottom=BOTTOM / height,
        hspace=0.42,
    )
    all_axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (words, columns) in zip(all_axes, panels, strict=True):
        _draw(axes, table, columns, words)
    # Also to place titles and labels by itself Matplotlib lays out every tick again: they are where it would put them.
    for axis in (*(axes.yaxis for axes in all_axes), *(axes.xaxis for axes in all_axes[:-1])):
        axis.set_label_coords(0.0, 0.0)  # these have no label
    all_axes[-1].set_xlabel("epoch", fontsize=SMALL_SIZE, color=INK)
    heading(figure, title)
    return figure


def _scores(table: Table, number: str) -> list[str]:
    return [name for name in table if name.partition(" ")[2] == number]


def _draw(axes: Axes, table: Table, columns: Sequence[str], words: str) -> None:
    tidy_axes(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for place, name in enumerate(columns, start=1):
        points = [(x, y) for x, y in zip(table["epoch"], table[name], strict=True) if math.isfinite(y)]
        style = look(place)
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=style.colour,
            ls=(0, style.dashes) if style.dashes else "-",
            lw=1.4,
            marker=style.marker if len(points) < 40 else None,
            ms=3,
            label=_short(name),
        )
    axes.set_title(words, fontsize=TEXT_SIZE, color=INK, loc="left", y=1.0).set_parse_math(False)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=SMALL_SIZE - 1, handlelength=2.6, ncols=1
    )


def _short(name: str) -> str:
    """`D knows G1` and `G1 is_mean` are both G1, each in a panel of its own."""
    if " on " in name or "->" in name:
        return name.removeprefix("gate ")
    judge, _, known = name.partition(" knows ")
    if known:
        return known if judge == "D" else f"{judge}: {known}"
    return name.partition(" ")[0]
