"""All ways to see a view, in the order in which the model has them."""

from functools import lru_cache

from colgan_search.surrogate.counts import Heard, Total
from colgan_search.surrogate.gatewise import View, Whole
from colgan_search.surrogate.itself import Itself
from colgan_search.surrogate.look import Look
from colgan_search.surrogate.teachers import Teachers
from colgan_search.surrogate.views import Space

LOOKS: dict[str, type[Look]] = {look.name: look for look in (View, Whole, Teachers, Heard, Total, Itself)}


@lru_cache(maxsize=32)
def look_of(space: Space, name: str) -> Look:
    """The one look of this name at this space. KeyError for an unknown name."""
    return LOOKS[name](space)


def names_of(space: Space) -> tuple[str, ...]:
    """Of the looks that this space's graphs have."""
    return tuple(name for name, look in LOOKS.items() if look.sees(space))
