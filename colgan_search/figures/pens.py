"""The pens that a graph's edges are drawn with: named styles, ours and the paper's."""

from collections.abc import Mapping
from dataclasses import dataclass

from colgan_search.errors import BadInput
from colgan_search.gates import Gate


@dataclass(frozen=True)
class Pen:
    """How edges of one gate are drawn."""

    label: str
    colour: str
    dashes: tuple[float, ...]
    """On and off lengths in line widths; empty for a solid line."""
    width: float
    """In points."""


Pens = Mapping[Gate, Pen]
"""A style: edges of a gate without a pen are never drawn."""

HOUSE = "house"
PAPER = "paper"

STYLES: dict[str, Pens] = {
    # Told apart by line style alone as well, for black and white.
    HOUSE: {
        Gate.THROUGH: Pen("through", "#12355b", (), 2.0),
        Gate.POSITIVE: Pen("positive linear (0 to 1)", "#2a9d3a", (5.0, 2.0), 2.0),
        Gate.NEGATIVE: Pen("negative linear (1 to 0)", "#d9541e", (1.0, 1.3), 2.4),
        Gate.CUTOFF: Pen("cut off", "#b8b8b8", (1.0, 3.0), 0.9),
    },
    # Figure 8 has a through gate in black and a positive linear gate in red, and no other.
    PAPER: {
        Gate.THROUGH: Pen("through", "#000000", (), 2.0),
        Gate.POSITIVE: Pen("positive linear", "#e3000f", (), 2.0),
        Gate.NEGATIVE: Pen("negative linear (figure 8 has none)", "#1f5fbf", (4.0, 1.8), 2.0),
    },
}
"""Style's name -> its pens."""


def pens(style: str) -> Pens:
    """The pens of a style. BadInput, which lists the styles, for an unknown name."""
    if style not in STYLES:
        raise BadInput(f"unknown style {style!r}; the styles are {', '.join(STYLES)}")
    return STYLES[style]
