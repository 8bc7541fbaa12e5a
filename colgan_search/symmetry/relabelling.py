"""The relabellings of a roster as moves of its edges: S_k x S_m, or S_k with the only discriminator.

Edges are compared in *shell order*, which places the nodes one at a time: discriminators first, then for n = 1..k the
edges D_j->Gn, then for each i < n the edges Gi->Gn and Gn->Gi.
"""

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from colgan_search.errors import GraphError
from colgan_search.roster import Edge, Roster

MAX_RELABELLINGS = 40_320
"""8!: symmetry is known up to k = 8 with one discriminator."""


def count(roster: Roster) -> int:
    """k! * m!, the number of relabellings."""
    return math.prod(math.factorial(len(group)) for group in roster.exchangeable)


@lru_cache(maxsize=8)
def orders(roster: Roster) -> NDArray[np.int64]:
    """[R, k + m]: row by row the old numbers (from 0) of the new G1..Gk, then those of the new D1..Dm.

    The first row changes nothing. GraphError for more than 40,320 relabellings.
    """
    if count(roster) > MAX_RELABELLINGS:
        raise GraphError(
            f"{roster} has {count(roster):,} relabellings; graphs are compared up to {MAX_RELABELLINGS:,} (k = 8)"
        )
    groups = [itertools.permutations(range(len(group))) for group in roster.exchangeable]
    return np.array([list(itertools.chain(*rows)) for rows in itertools.product(*groups)], dtype=np.int64)


@lru_cache(maxsize=8)
def moves(roster: Roster) -> NDArray[np.int32]:
    """[R, E]: the place in `roster.edges` of the edge whose gate relabelling r brings to place e in shell order."""
    rows = orders(roster)
    k = roster.generators
    number = {node: place for place, node in enumerate((*roster.generator_nodes, *roster.discriminator_nodes))}
    place = np.zeros((len(number), len(number)), dtype=np.int32)
    for at, edge in enumerate(roster.edges):
        place[number[edge.source], number[edge.target]] = at
    old = np.hstack([rows[:, :k], rows[:, k:] + k])
    return np.stack([place[old[:, number[e.source]], old[:, number[e.target]]] for e in shell_edges(roster)], axis=1)


@lru_cache(maxsize=8)
def shell_edges(roster: Roster) -> tuple[Edge, ...]:
    """All edges in shell order."""
    edges = []
    for n, late in enumerate(roster.discriminator_nodes):
        for early in roster.discriminator_nodes[:n]:
            edges += [Edge(early, late), Edge(late, early)]
    for n, late in enumerate(roster.generator_nodes):
        edges += [Edge(teacher, late) for teacher in roster.discriminator_nodes]
        for early in roster.generator_nodes[:n]:
            edges += [Edge(early, late), Edge(late, early)]
    return tuple(edges)
