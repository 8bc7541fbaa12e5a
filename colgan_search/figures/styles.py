"""What all plots share: ink, axes without clutter, and one look per generator that survives black-and-white print."""

from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1a1a1a"
FAINT = "#8a8a8a"
TITLE_SIZE = 12.0
TEXT_SIZE = 10.0
SMALL_SIZE = 9.0
"""Font sizes in points."""

_COLOURS = ("#12355b", "#ec8f45", "#1c6e3f", "#a03a78", "#6b6b6b", "#b59410")
_MARKERS = ("o", "^", "x", "s", "+", "D", "v")
_DASHES: tuple[tuple[float, ...], ...] = ((), (5.0, 2.0), (1.2, 1.4), (6.0, 1.6, 1.2, 1.6), (9.0, 3.0))


@dataclass(frozen=True)
class Look:
    """How one generator is drawn; marker and dashes tell it apart without its colour."""

    colour: str
    marker: str
    dashes: tuple[float, ...]
    """On and off lengths in line widths; empty for a solid line."""

    @property
    def open_marker(self) -> bool:
        """True for markers that have an inside to fill."""
        return self.marker not in "x+"


def look(number: int) -> Look:
    """The look of generator `number` (1..k): the same in every figure, and unlike its neighbours'."""
    index = number - 1
    return Look(_COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)], _DASHES[index % len(_DASHES)])


def tidy_axes(axes: Axes, *, grid: bool = True) -> None:
    """Only the left and bottom spine, small outward ticks, a faint horizontal grid behind everything."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(INK)
    axes.tick_params(colors=INK, labelsize=SMALL_SIZE, length=3.0)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis="y", color="#e3e3e3", lw=0.7)


def heading(figure: Figure, title: str | None) -> None:
    """The figure's title, plain text (dollar signs stay dollar signs)."""
    if title:
        figure.suptitle(title, fontsize=TITLE_SIZE, color=INK).set_parse_math(False)
