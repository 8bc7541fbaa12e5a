"""Graphs as arrays, and each graph as its generators see it.

A view is a graph whose generators are renamed so that one of them, the root, is G1. The other generators and the
discriminators stay exchangeable: what a model says of a view must not depend on their names.
"""

import hashlib
import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Edge, EdgeKind, Roster
from colgan_search.symmetry import canonical, distinct_graphs, relabelling

MAX_LISTED = 300_000
"""Spaces of so many assignments are listed whole: k = 3 with four gates has 262,144, k = 4 with two has 65,536."""
MAX_SYMMETRIES = 24
"""Relabellings that keep the root: 4! for k = 5. The model averages over all of them."""

Codes = NDArray[np.int8]
"""Gates by their number in the space's gates, edge by edge in the order of `roster.edges`; last axis E."""


@dataclass(frozen=True)
class Space:
    """The graphs of a roster whose edges carry some of `gates`. Make it with `space_of`: it keeps what it lists."""

    roster: Roster
    gates: tuple[Gate, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return space_of, (self.roster, self.gates)  # what it lists is listed anew, once in a process

    @property
    def modelled(self) -> bool:
        """False if there are too many relabellings to average over, or too many graphs to number."""
        roster = self.roster
        symmetries = math.factorial(roster.generators - 1) * math.factorial(roster.discriminators)
        return symmetries <= MAX_SYMMETRIES and len(self.gates) ** len(roster.edges) < 2**62

    @property
    def listed(self) -> bool:
        """True if the space is small enough to be listed whole."""
        return self.modelled and len(self.gates) ** len(self.roster.edges) <= MAX_LISTED

    def encode(self, graphs: Iterable[KnowledgeTransferGraph]) -> Codes:
        """[N, E]. GraphError for a graph of another roster or with another gate."""
        number = {gate: at for at, gate in enumerate(self.gates)}
        rows = []
        for graph in graphs:
            if graph.roster != self.roster or not number.keys() >= set(graph.gates):
                names = ", ".join(gate.name for gate in self.gates)
                raise GraphError(f"graph {graph} is not one of {self.roster} with the gates {names}")
            rows.append([number[gate] for gate in graph.gates])
        return np.array(rows, dtype=np.int8).reshape(len(rows), len(self.roster.edges))

    def decode(self, codes: Codes) -> KnowledgeTransferGraph:
        """The graph of one row, [E]."""
        return KnowledgeTransferGraph(self.roster, tuple(self.gates[code] for code in codes))

    @cached_property
    def relabellings(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """[R, E] and [R, k]: `codes[:, moves[r]]` is relabelled; its G(i+1) was generator `orders[r, i]` (from 0)."""
        roster = self.roster
        in_shell = np.argsort([roster.place(edge) for edge in relabelling.shell_edges(roster)])
        moves = relabelling.moves(roster)[:, in_shell].astype(np.int64)
        return moves, relabelling.orders(roster)[:, : roster.generators]

    @cached_property
    def roots(self) -> NDArray[np.int64]:
        """[k, E]: `codes[:, roots[i]]` are the views of generator i."""
        moves, orders = self.relabellings
        # Of the relabellings that bring generator i to the root, the first leaves all others in their order.
        return np.asarray(moves[[int(np.argmax(orders[:, 0] == i)) for i in range(self.roster.generators)]])

    @cached_property
    def symmetries(self) -> NDArray[np.int64]:
        """[S, E]: the relabellings that keep the root, the first of which changes nothing."""
        moves, orders = self.relabellings
        return np.asarray(moves[orders[:, 0] == 0])

    @cached_property
    def classes(self) -> NDArray[np.int64]:
        """[E]: what an edge is to the root, as numbers from 0 without gaps."""
        root = self.roster.generator_nodes[0]

        def kind(edge: Edge) -> int:
            adversarial, among_discriminators = edge.source.letter == "D", edge.target.letter == "D"
            if among_discriminators:
                return 5
            if adversarial:
                return 0 if edge.target == root else 1
            return 2 if edge.target == root else 3 if edge.source == root else 4

        return np.unique([kind(edge) for edge in self.roster.edges], return_inverse=True)[1]

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """[E]: what an edge is, whoever is the root, as numbers from 0 without gaps."""
        of = list(EdgeKind)
        return np.unique([of.index(edge.kind) for edge in self.roster.edges], return_inverse=True)[1]

    def views(self, codes: Codes) -> Codes:
        """[N, k, E]: each graph as each generator sees it."""
        return codes[:, self.roots]

    @cached_property
    def _worth(self) -> NDArray[np.int64]:
        edges = len(self.roster.edges)
        return len(self.gates) ** np.arange(edges - 1, -1, -1, dtype=np.int64)

    def places(self, codes: Codes) -> NDArray[np.int64]:
        """[...]: the number of an assignment in a listed space, from 0; the last axis of `codes` is that of edges."""
        return codes.astype(np.int64) @ self._worth

    @cached_property
    def assignments(self) -> Codes:
        """[A, E]: every assignment of a listed space, in the order of their `places`."""
        edges = len(self.roster.edges)
        return np.asarray(np.indices([len(self.gates)] * edges, dtype=np.int8).reshape(edges, -1).T)

    @cached_property
    def distinct(self) -> Codes:
        """[M, E]: every distinct graph of a listed space once."""
        return self.encode(distinct_graphs(self.roster, self.gates))

    @cached_property
    def distinct_views(self) -> NDArray[np.int64]:
        """[M, k]: the places of their views."""
        return self.places(self.views(self.distinct))

    @cached_property
    def distinct_keys(self) -> NDArray[np.int64]:
        """[M]: their `keys`."""
        return self.keys(self.distinct)

    def canonical(self, codes: Codes) -> tuple[Codes, NDArray[np.int64]]:
        """One relabelling of each graph, the same for all its relabellings [N, E], and which generators became its
        G1..Gk [N, k]."""
        moves, orders = self.relabellings
        smallest = np.zeros(len(codes), dtype=np.int64)
        least = self.places(codes)
        for r, move in enumerate(moves):
            number = self.places(codes[:, move])
            smallest[number < least] = r
            least = np.minimum(least, number)
        return codes[np.arange(len(codes))[:, None], moves[smallest]], orders[smallest]

    def keys(self, codes: Codes) -> NDArray[np.int64]:
        """[N]: a number that is equal exactly for relabelled graphs."""
        if self.modelled:
            return self.places(self.canonical(codes)[0])
        return np.array([_digest(self.decode(row)) for row in codes], dtype=np.int64)


@lru_cache(maxsize=20_000)
def _digest(graph: KnowledgeTransferGraph) -> int:
    """Of a graph's canonical form; of the graph itself where it has more relabellings than `symmetry` knows."""
    with suppress(GraphError):
        graph = canonical(graph)
    return int.from_bytes(hashlib.blake2b(graph.to_text().encode(), digest_size=7).digest(), "big")


@lru_cache(maxsize=8)
def space_of(roster: Roster, gates: tuple[Gate, ...]) -> Space:
    """The one space of this roster and these gates, in any order of them."""
    return _space(roster, tuple(sorted(set(gates), key=lambda gate: gate.order)))


@lru_cache(maxsize=8)
def _space(roster: Roster, gates: tuple[Gate, ...]) -> Space:
    return Space(roster, gates)
