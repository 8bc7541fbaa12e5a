"""The canonical form of a graph: one relabelling of its generators that stands for all of them.

A graph's gates are compared in *shell order*, which places the generators one at a time: for n = 1..k the edge
D->Gn, then for each i < n the edges Gi->Gn and Gn->Gi. Gates compare in the order of `Gate`'s definition.
"""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph

RANK = {gate: rank for rank, gate in enumerate(Gate)}
EXHAUSTIVE_K = 8
"""Up to this k the canonical form is the smallest of all k! relabellings."""
MAX_TIED_ORDERS = 5000
"""For k > 8: a search that holds more equally small partial orders than this gives up."""

Order = tuple[int, ...]
"""Generators, numbered from 0 inside this module, in the order in which they are placed."""


def canonical(graph: KnowledgeTransferGraph) -> KnowledgeTransferGraph:
    """The relabelling of `graph` that is the same for all its relabellings; equal exactly for isomorphic graphs.

    For k <= 8 it is the smallest of all relabellings in shell order; for k = 9..64 the smallest of those that
    place next a generator of the first class (see `_first_class`), since the smallest of all would be as hard to
    find as the largest clique. GraphError for k > 8 when the symmetry is too intricate.
    """
    return graph.relabel(canonical_order(graph))


def canonical_order(graph: KnowledgeTransferGraph) -> list[int]:
    """The order of the generators (each of 1..k once) for which `graph.relabel(order)` is `canonical(graph)`.

    Several orders may give the same relabelled graph: this is one of them. Errors as for `canonical`.
    """
    pairs = _pair_codes(graph)
    code: list[list[int]] = pairs.tolist()
    wide = graph.k > EXHAUSTIVE_K
    symmetries = _twin_swaps(code)
    orders: list[Order] = [()]
    for _ in range(graph.k):
        smallest: list[int] = []
        tied: list[Order] = []
        for order in orders:
            unused = [v for v in range(graph.k) if v not in order]
            candidates = _first_class(pairs, order, unused) if wide else unused
            for v in _one_per_orbit(candidates, order, symmetries):
                shell = [code[v][v], *(code[i][v] for i in order)]
                if not tied or shell < smallest:
                    smallest, tied = shell, []
                if shell == smallest:
                    tied.append((*order, v))
        if wide and len(tied) > MAX_TIED_ORDERS:
            raise GraphError(f"the symmetry of this graph with k = {graph.k} is too intricate for a canonical form")
        orders = _merge_equivalent(tied, pairs, symmetries) if wide and len(tied) > 1 else tied
    return [v + 1 for v in orders[0]]


def relabellings(graph: KnowledgeTransferGraph) -> Iterator[KnowledgeTransferGraph]:
    """Every distinct relabelling of `graph` once, itself first. GraphError above k = 8 (40,320 relabellings)."""
    if graph.k > EXHAUSTIVE_K:
        raise GraphError(f"relabellings are listed up to k = {EXHAUSTIVE_K}, and this graph has k = {graph.k}")
    return _relabellings(graph)


def count_relabellings(graph: KnowledgeTransferGraph) -> int:
    """The number of distinct relabellings of `graph`: k! over the number of its symmetries. k <= 8."""
    return sum(1 for _ in relabellings(graph))


def _relabellings(graph: KnowledgeTransferGraph) -> Iterator[KnowledgeTransferGraph]:
    seen: set[tuple[Gate, ...]] = set()
    for order in itertools.permutations(range(1, graph.k + 1)):
        relabelled = graph.relabel(order)
        if relabelled.gates not in seen:
            seen.add(relabelled.gates)
            yield relabelled


def _pair_codes(graph: KnowledgeTransferGraph) -> NDArray[np.int64]:
    """[k, k]: at (i, v) 4 * rank(i->v) + rank(v->i), as the pair stands in shell order; at (v, v) rank(D->v)."""
    rank = np.zeros((graph.k, graph.k), dtype=np.int64)
    for edge, gate in graph.items():
        rank[(edge.target if edge.adversarial else edge.source) - 1, edge.target - 1] = RANK[gate]
    codes = len(Gate) * rank + rank.T
    np.fill_diagonal(codes, rank.diagonal())
    return codes


def _first_class(pairs: NDArray[np.int64], order: Order, unused: list[int]) -> list[int]:
    """The first of the classes into which the `unused` generators fall once those of `order` have their places."""
    classes = _classes(pairs, _colours(order, len(pairs)))
    first = min(classes[v] for v in unused)
    return [v for v in unused if classes[v] == first]


def _colours(order: Order, k: int) -> list[int]:
    """1, 2, ... for the generators of `order`, 0 for those without a place."""
    return [order.index(v) + 1 if v in order else 0 for v in range(k)]


def _classes(pairs: NDArray[np.int64], colours: Sequence[int]) -> list[int]:
    """The class 0.. of each generator by colour refinement: the same however the generators are numbered.

    Generators start in classes by `colours` (each 0..k), and are told apart by their gate from D and by how many
    edges of each kind tie them to each class, until no class splits any more.
    """
    now = np.asarray(colours, dtype=np.int64)
    count = 0
    while True:
        ties = np.sort(pairs * (len(pairs) + 1) + now[None, :], axis=1)
        signatures = np.column_stack([now, pairs.diagonal(), ties])
        distinct, now = np.unique(signatures, axis=0, return_inverse=True)
        now = now.reshape(-1)
        if len(distinct) == count:
            return [int(c) for c in now]
        count = len(distinct)


def _twin_swaps(code: list[list[int]]) -> list[Order]:
    """Swaps of two interchangeable generators, enough of them to reach every such swap."""
    swaps: list[Order] = []
    last_twins: list[int] = []
    for b, ties in enumerate(code):
        for place, a in enumerate(last_twins):
            others = (c for c in range(len(code)) if c not in (a, b))
            if code[a][a] == ties[b] and code[a][b] == ties[a] and all(code[a][c] == ties[c] for c in others):
                swaps.append(tuple({a: b, b: a}.get(v, v) for v in range(len(code))))
                last_twins[place] = b
                break
        else:
            last_twins.append(b)
    return swaps


def _one_per_orbit(unused: list[int], order: Order, symmetries: list[Order]) -> list[int]:
    """One of each set of `unused` generators that symmetries leaving `order` in place turn into each other."""
    head = {v: v for v in unused}

    def find(v: int) -> int:
        while head[v] != v:
            v = head[v]
        return v

    for symmetry in symmetries:
        if all(symmetry[v] == v for v in order):
            for v in unused:
                a, b = find(v), find(symmetry[v])
                head[max(a, b)] = min(a, b)
    return [v for v in unused if head[v] == v]


def _merge_equivalent(tied: list[Order], pairs: NDArray[np.int64], symmetries: list[Order]) -> list[Order]:
    """Leaves out orders that a symmetry makes from one that is kept; adds what it finds to `symmetries`.

    Only orders that differ in their last generator are compared: the others were told apart before.
    """
    kept: list[Order] = []
    for _, group in itertools.groupby(tied, key=lambda order: order[:-1]):
        # Compared with the newest of each set: neighbours give symmetries that move little, of most use later on.
        newest: list[list[int]] = []
        for order in group:
            classes = _classes(pairs, _colours(order, len(pairs)))
            for place, other in enumerate(newest):
                symmetry = _symmetry(pairs, other, classes)
                if symmetry:
                    symmetries.append(symmetry)
                    newest[place] = classes
                    break
            else:
                kept.append(order)
                newest.append(classes)
    return kept


def _symmetry(pairs: NDArray[np.int64], source: list[int], target: list[int]) -> Order | None:
    """A symmetry of the graph that takes the classes `source` to `target`, or None when the first try finds none."""
    a, b = list(source), list(target)
    while sorted(a) == sorted(b):
        open_class = next((c for c in a if a.count(c) > 1), None)
        if open_class is None:
            symmetry = tuple(b.index(c) for c in a)
            return symmetry if np.array_equal(pairs[np.ix_(symmetry, symmetry)], pairs) else None
        chosen = a.index(open_class)
        partner = chosen if b[chosen] == open_class else b.index(open_class)
        a[chosen] = b[partner] = len(pairs)
        a, b = _classes(pairs, a), _classes(pairs, b)
    return None
