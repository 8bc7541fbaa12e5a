"""How many graphs there are, with and without relabelled ones, and the list of the distinct ones."""

import itertools
import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import DISCRIMINATOR, MAX_K, Edge, KnowledgeTransferGraph, edges_of

MAX_ASSIGNMENTS = 20_000_000
"""`distinct_graphs` walks through at most so many assignments."""
CHUNK = 1 << 16
"""Assignments that `distinct_graphs` holds in memory at once."""


def count_assignments(k: int, gates: int) -> int:
    """The number of ways to give each of the k*k edges one of `gates` gates: gates ** (k * k)."""
    if not 1 <= k <= MAX_K or gates < 1:
        raise GraphError(
            f"k = {k} with {gates} gates: a graph has at least one generator and at most {MAX_K}, "
            "an edge at least one gate"
        )
    return int(gates ** (k * k))


def count_distinct(k: int, gates: int) -> int:
    """The number of graphs up to relabelling, by Burnside's lemma: 44,224 for k = 3 with four gates.

    A relabelling whose cycles have the lengths c_1, c_2, ... moves the k*k edges in sum_ij gcd(c_i, c_j) cycles,
    where D->Gi moves like a pair (i, i); each of those must carry one gate. Under a second up to k = 50, 7 s for
    k = 64 (the most that is allowed), ten times as long for every 17 more.
    """
    count_assignments(k, gates)
    # Relabellings by their number of edge cycles, so that each large power is taken once.
    relabellings_by_cycles: Counter[int] = Counter()

    def add(left: int, longest: int, cycles: list[tuple[int, int]], edge_cycles: int, centralizer: int) -> None:
        """All partitions of `left` into cycles of at most `longest`, after `cycles` of (length, how many)."""
        if left == 0:
            relabellings_by_cycles[edge_cycles] += math.factorial(k) // centralizer
            return
        for length in range(min(left, longest), 0, -1):
            with_others = 2 * sum(number * math.gcd(length, other) for other, number in cycles)
            for number in range(1, left // length + 1):
                new_edge_cycles = edge_cycles + number * with_others + number * number * length
                new_centralizer = centralizer * length**number * math.factorial(number)
                add(left - number * length, length - 1, [*cycles, (length, number)], new_edge_cycles, new_centralizer)

    add(k, k, [], 0, 1)
    total = sum(number * gates**edge_cycles for edge_cycles, number in relabellings_by_cycles.items())
    return int(total // math.factorial(k))


def distinct_graphs(k: int, gates: Collection[Gate] = tuple(Gate)) -> Iterator[KnowledgeTransferGraph]:
    """The canonical graph of every set of relabellings whose edges carry only `gates`, in shell order.

    GraphError, before anything is listed, when there are more than 20 million assignments to walk through.
    """
    chosen = [gate for gate in Gate if gate in gates]
    assignments = count_assignments(k, len(chosen))
    if assignments > MAX_ASSIGNMENTS:
        size = f"{assignments:,}" if assignments < 10**15 else f"{len(chosen)}^{k * k}"
        raise GraphError(
            f"k = {k} with {len(chosen)} gates has {size} assignments; graphs are listed up to {MAX_ASSIGNMENTS:,}"
        )
    return _walk(k, chosen, assignments)


def _walk(k: int, gates: Sequence[Gate], assignments: int) -> Iterator[KnowledgeTransferGraph]:
    """Numbers the assignments in shell order and yields those that no relabelling makes smaller."""
    shell = _shell_edges(k)
    place = {edge: position for position, edge in enumerate(shell)}
    values = np.array([len(gates) ** (len(shell) - 1 - position) for position in range(len(shell))], dtype=np.int64)
    relabelled_values = [
        values[[place[Edge(new[edge.source], new[edge.target])] for edge in shell]]
        for new in ((DISCRIMINATOR, *order) for order in itertools.permutations(range(1, k + 1)))
    ]
    in_graph_order = [place[edge] for edge in edges_of(k)]
    for start in range(0, assignments, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, assignments), dtype=np.int64)
        digits = numbers[:, None] // values % len(gates)
        for moved in relabelled_values:
            smallest = digits @ moved >= numbers
            numbers, digits = numbers[smallest], digits[smallest]
        for row in digits[:, in_graph_order].tolist():
            yield KnowledgeTransferGraph(k, tuple(gates[digit] for digit in row))


def _shell_edges(k: int) -> list[Edge]:
    """All k*k edges in shell order (see `symmetry.canonical`)."""
    edges = []
    for n in range(1, k + 1):
        edges.append(Edge(DISCRIMINATOR, n))
        for i in range(1, n):
            edges += [Edge(i, n), Edge(n, i)]
    return edges
