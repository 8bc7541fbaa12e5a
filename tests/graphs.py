"""Short names for edges in tests."""

from colgan_search.roster import D, Edge, discriminator, generator


def edge(source: int, target: int) -> Edge:
    """The edge into generator `target` (1..k) from generator `source`, or from the only discriminator (0)."""
    return Edge(generator(source) if source else D, generator(target))


def among(source: int, target: int) -> Edge:
    """The edge between two of several discriminators."""
    return Edge(discriminator(source), discriminator(target))
