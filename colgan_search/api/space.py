"""What a study's budget buys in its space of graphs, in one or two lines: for `launch` and `status`."""

from colgan_search.config import StudyConfig
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.symmetry import Extent, extent


def extent_of(config: StudyConfig) -> Extent:
    """The study's space; at once, however large it is."""
    return extent(config.roster, len(config.search.gates))


def space_lines(config: StudyConfig, trials: int) -> list[str]:
    """How large the study's space is, and what so many trials buy in it."""
    space, search = extent_of(config), config.search
    return [f"space: {space.words}", SAMPLERS.get(search.sampler).buys(search, space, trials)]
