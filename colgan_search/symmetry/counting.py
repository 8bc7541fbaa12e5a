"""How many graphs there are, with and without relabelled ones, and the list of the distinct ones."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from colgan_search.errors import GraphError
from colgan_search.gates import PAPER_GATES, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster
from colgan_search.symmetry.relabelling import moves, shell_edges

MAX_ASSIGNMENTS = 20_000_000
"""`distinct_graphs` walks through at most so many assignments."""
MAX_CYCLE_TYPES = 4_000_000
"""`count_distinct` adds up at most so many kinds of relabellings: about 20 s; k = 64 with two discriminators."""
CHUNK = 1 << 16
"""Assignments that `distinct_graphs` holds in memory at once."""

Cycles = tuple[tuple[int, int], ...]
"""(length, how many) of a permutation's cycles."""


def count_assignments(roster: Roster, gates: int) -> int:
    """The number of ways to give each edge one of `gates` gates: gates ** (k * k) with one discriminator."""
    if gates < 1:
        raise GraphError(f"{gates} gates: an edge has at least one")
    return int(gates ** len(roster.edges))


def count_distinct(roster: Roster, gates: int) -> int:
    """The number of graphs up to relabelling, by Burnside's lemma: 44,224 for k = 3 with four gates.

    A relabelling with cycles of the lengths c_1, c_2, ... of the generators and d_1, ... of the discriminators moves
    the edges D_j->G_i in sum gcd(c_i, d_j) cycles, the edges among the generators in sum gcd(c_i, c_j) less one for
    each c_i, and likewise among the discriminators; each of those must carry one gate. Under a second up to k = 50, 7 s
    for k = 64. GraphError, at once, for more than 4 million kinds of relabellings.
    """
    count_assignments(roster, gates)
    if kinds_of_relabellings(roster) > MAX_CYCLE_TYPES:
        raise GraphError(f"{roster} is too large to count its distinct graphs; take fewer generators or discriminators")
    # Relabellings by their number of edge cycles, so that each large power is taken once.
    relabellings_by_cycles: Counter[int] = Counter()
    of_discriminators = list(_cycle_types(roster.discriminators))
    for c, many in _cycle_types(roster.generators):
        among_generators = _pairs(c, c) - _number(c)
        for d, more in of_discriminators:
            edge_cycles = _pairs(c, d) + among_generators + _pairs(d, d) - _number(d)
            relabellings_by_cycles[edge_cycles] += many * more
    total = sum(number * gates**edge_cycles for edge_cycles, number in relabellings_by_cycles.items())
    return int(total // (math.factorial(roster.generators) * math.factorial(roster.discriminators)))


def kinds_of_relabellings(roster: Roster) -> int:
    """The number of kinds of relabellings, by their cycles, that `count_distinct` adds up."""
    return math.prod(_partitions(len(group)) for group in roster.exchangeable)


def distinct_graphs(roster: Roster, gates: Collection[Gate] = PAPER_GATES) -> Iterator[KnowledgeTransferGraph]:
    """The canonical graph of every set of relabellings whose edges carry only `gates`, in shell order.

    GraphError, before anything is listed, when there are more than 20 million assignments to walk through.
    """
    chosen = sorted(set(gates), key=lambda gate: gate.order)
    assignments = count_assignments(roster, len(chosen))
    if assignments > MAX_ASSIGNMENTS:
        size = f"{assignments:,}" if assignments < 10**15 else f"{len(chosen)}^{len(roster.edges)}"
        raise GraphError(
            f"{roster} with {len(chosen)} gates has {size} assignments; graphs are listed up to {MAX_ASSIGNMENTS:,}"
        )
    return _walk(roster, chosen, assignments)


def _walk(roster: Roster, gates: Sequence[Gate], assignments: int) -> Iterator[KnowledgeTransferGraph]:
    """Numbers the assignments in shell order and yields those that no relabelling makes smaller."""
    shell = [roster.place(edge) for edge in shell_edges(roster)]
    in_shell = np.argsort(shell)  # place in `roster.edges` -> place in shell order
    values = np.array([len(gates) ** (len(shell) - 1 - position) for position in range(len(shell))], dtype=np.int64)
    # [R, E]: what a gate at each place in shell order is worth once it has moved
    relabelled_values = np.zeros((len(moves(roster)), len(shell)), dtype=np.int64)
    for row, move in zip(relabelled_values, in_shell[moves(roster)], strict=True):
        row[move] = values
    for start in range(0, assignments, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, assignments), dtype=np.int64)
        digits = numbers[:, None] // values % len(gates)
        for moved in relabelled_values:
            smallest = digits @ moved >= numbers
            numbers, digits = numbers[smallest], digits[smallest]
        for row in digits[:, in_shell].tolist():
            yield KnowledgeTransferGraph(roster, tuple(gates[digit] for digit in row))


def _partitions(n: int) -> int:
    """The number of `_cycle_types(n)`."""
    ways = [1] + [0] * n
    for part in range(1, n + 1):
        for total in range(part, n + 1):
            ways[total] += ways[total - part]
    return ways[n]


def _cycle_types(n: int) -> Iterator[tuple[Cycles, int]]:
    """The cycles of the permutations of n things, with how many permutations have them."""

    def add(left: int, longest: int, cycles: Cycles, centralizer: int) -> Iterator[tuple[Cycles, int]]:
        if left == 0:
            yield cycles, math.factorial(n) // centralizer
        for length in range(min(left, longest), 0, -1):
            for number in range(1, left // length + 1):
                more = centralizer * length**number * math.factorial(number)
                yield from add(left - number * length, length - 1, (*cycles, (length, number)), more)

    yield from add(n, n, (), 1)


def _pairs(a: Cycles, b: Cycles) -> int:
    """The cycles in which ordered pairs of one thing of each move."""
    return sum(i * j * math.gcd(x, y) for x, i in a for y, j in b)


def _number(cycles: Cycles) -> int:
    return sum(number for _, number in cycles)
