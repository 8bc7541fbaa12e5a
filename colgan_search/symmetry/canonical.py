"""The canonical form of a graph: one relabelling of its exchangeable nodes that stands for all of them.

It is the smallest of all relabellings when gates are compared edge by edge in shell order (`symmetry.relabelling`),
each in the order of `Gate.order`. Known for rosters of up to 40,320 relabellings: k = 8 with one discriminator.
"""

from collections.abc import Iterator

import numpy as np

from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.symmetry.relabelling import moves, orders


def canonical(graph: KnowledgeTransferGraph) -> KnowledgeTransferGraph:
    """The relabelling of `graph` that is the same for all its relabellings; equal exactly for isomorphic graphs.

    GraphError for a roster with too many relabellings.
    """
    return graph.relabel(*canonical_order(graph))


def canonical_order(graph: KnowledgeTransferGraph) -> tuple[list[int], list[int]]:
    """The orders of generators and discriminators (from 1) for which `graph.relabel(*orders)` is `canonical(graph)`.

    Several may give the same relabelled graph: this is the first of them. Errors as for `canonical`.
    """
    rank = {gate: number for number, gate in enumerate(sorted(set(graph.gates), key=lambda gate: gate.order))}
    ranks = np.array([rank[gate] for gate in graph.gates], dtype=np.int16)
    rows = moves(graph.roster)
    smallest = np.arange(len(rows))
    for place in range(rows.shape[1]):
        here = ranks[rows[smallest, place]]
        smallest = smallest[here == here.min()]
        if len(smallest) == 1:
            break
    order: list[int] = (orders(graph.roster)[smallest[0]] + 1).tolist()
    return order[: graph.k], order[graph.k :]


def relabellings(graph: KnowledgeTransferGraph) -> Iterator[KnowledgeTransferGraph]:
    """Every distinct relabelling of `graph` once, itself first. GraphError as for `canonical`."""
    seen: set[tuple[Gate, ...]] = set()
    for row in orders(graph.roster) + 1:
        relabelled = graph.relabel(row[: graph.k].tolist(), row[graph.k :].tolist())
        if relabelled.gates not in seen:
            seen.add(relabelled.gates)
            yield relabelled


def count_relabellings(graph: KnowledgeTransferGraph) -> int:
    """The number of distinct relabellings of `graph`: k! * m! over the number of its symmetries."""
    return sum(1 for _ in relabellings(graph))
