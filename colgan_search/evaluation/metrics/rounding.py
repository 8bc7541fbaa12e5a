"""Numbers that rounding can leave a hair outside of their range."""

import math

from colgan_search.errors import Diverged


def at_least(floor: float, value: float, name: str, what: str) -> float:
    """The value, lifted to the floor that rounding can leave by a hair; Diverged if it is not finite."""
    if not math.isfinite(value):
        raise Diverged(f"{what}: its {name} is {value}")
    return max(floor, value)
