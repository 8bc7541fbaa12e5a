"""The pens that a graph's edges are drawn with: named styles, ours and the paper's."""

from collections.abc import Collection, Mapping

from colgan_search.errors import BadInput
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, POSITIVE, THROUGH, Gate, Pen

Pens = Mapping[Gate, Pen]
"""A style: edges of a gate without a pen are never drawn."""

HOUSE = "house"
"""Every gate's own pen, told apart by line style alone as well, for black and white."""
PAPER = "paper"
"""Figure 8 has a through gate in black and a positive linear gate in red, and no other."""

_PAPER: Pens = {
    THROUGH: Pen("through", "#000000", (), 2.0),
    POSITIVE: Pen("positive linear", "#e3000f", (), 2.0),
    NEGATIVE: Pen("negative linear (figure 8 has none)", "#1f5fbf", (4.0, 1.8), 2.0),
}
STYLES = (HOUSE, PAPER)


def pens(style: str, used: Collection[Gate] = ()) -> Pens:
    """The pens of a style: of the paper's gates, and of the others that are `used`. BadInput for an unknown style."""
    if style not in STYLES:
        raise BadInput(f"unknown style {style!r}; the styles are {', '.join(STYLES)}")
    others = sorted(set(used) - set(PAPER_GATES), key=lambda gate: gate.order)
    house = {gate: gate.pen for gate in (THROUGH, POSITIVE, NEGATIVE, CUTOFF, *others)}
    return house if style == HOUSE else {**_PAPER} | {gate: gate.pen for gate in others}
