"""Graphs to choose among: all of a listed space, or those near the leaders and random ones."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF
from colgan_search.sampling.history import Seen
from colgan_search.surrogate.views import Codes, Space

LEADERS = 8
"""Graphs whose neighbours are looked at where a space cannot be listed."""
RANDOM = 300
"""Random graphs beside them."""


def untried(seen: Seen) -> NDArray[np.int64]:
    """The places in `space.distinct` of a listed space's graphs that nobody has tried."""
    return np.flatnonzero(~np.isin(seen.space.distinct_keys, seen.taken))


def new_ones(seen: Seen, codes: Codes) -> Codes:
    """Of graphs [N, E] those that nobody has tried, one of each set of relabelled ones."""
    keys, first = np.unique(seen.space.keys(codes), return_index=True)
    return codes[first[~np.isin(keys, seen.taken)]]


def at_random(space: Space, number: int, random: np.random.Generator) -> Codes:
    """[number, E]: each gate of each edge with the same probability."""
    return random.integers(len(space.gates), size=(number, len(space.roster.edges))).astype(np.int8)


def with_any_number_open(space: Space, number: int, random: np.random.Generator) -> Codes:
    """[number, E]: every number of open edges with the same probability, then every graph that has it.

    With each gate alike, graphs with few open edges hardly come: at k = 3 one of 20 has four or fewer.
    """
    closed = [code for code, gate in enumerate(space.gates) if gate is CUTOFF]
    opened = [code for code in range(len(space.gates)) if code not in closed]
    edges = len(space.roster.edges)
    codes = random.choice(np.array(opened, dtype=np.int8), size=(number, edges))
    if closed:
        order = random.permuted(np.tile(np.arange(edges), (number, 1)), axis=1)
        codes[order >= random.integers(edges + 1, size=(number, 1))] = closed[0]
    return np.asarray(codes)


def neighbours(space: Space, codes: Codes) -> Codes:
    """All graphs that differ from one of `codes` [N, E] on one edge."""
    edges, gates = len(space.roster.edges), len(space.gates)
    moved = np.repeat(codes[:, None], edges * (gates - 1), axis=1)
    at = np.repeat(np.arange(edges), gates - 1)
    step = np.tile(np.arange(1, gates), edges)
    moved[:, np.arange(len(at)), at] = (moved[:, np.arange(len(at)), at] + step) % gates
    return moved.reshape(-1, edges).astype(np.int8)
