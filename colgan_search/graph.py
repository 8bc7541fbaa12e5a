"""The knowledge transfer graph: k generators, one discriminator, k*k gated edges (section 3.2 of the paper)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from colgan_search.errors import GraphError
from colgan_search.gates import Gate

DISCRIMINATOR = 0
"""The source number of an adversarial edge; generators are numbered from 1."""


MAX_K = 64
"""Generators of a graph: 4,096 edges, more than anybody trains; bounds what a slip of the pen can cost."""


@dataclass(frozen=True, order=True)
class Edge:
    """A directed edge `source -> target` into generator `target` (1..k); source 0 is the discriminator D."""

    source: int
    target: int

    @property
    def name(self) -> str:
        """`D->G1` or `G2->G1`: also the name of the edge's Optuna parameter."""
        return f"{node_name(self.source)}->{node_name(self.target)}"

    @property
    def adversarial(self) -> bool:
        """True for D -> G_i (equation 2), False for a transfer edge (equations 4 and 5)."""
        return self.source == DISCRIMINATOR


def node_name(node: int) -> str:
    """`D` for 0, `G1`, `G2`, ... for the generators."""
    return "D" if node == DISCRIMINATOR else f"G{node}"


@lru_cache(maxsize=16)
def edges_of(k: int) -> tuple[Edge, ...]:
    """All k*k gated edges: for each target G1..Gk its adversarial edge, then its teachers in order."""
    if not 1 <= k <= MAX_K:
        raise GraphError(f"k is {k}; a graph has at least one generator and at most {MAX_K}")
    return tuple(Edge(source, target) for target in range(1, k + 1) for source in range(k + 1) if source != target)


@dataclass(frozen=True)
class KnowledgeTransferGraph:
    """k generators and the gates of their k*k incoming edges, in the order of `edges_of(k)`.

    Hashable, immutable; equal graphs have equal gates (see `symmetry.canonical` for equality up to relabelling).
    """

    k: int
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        if len(self.gates) != len(edges_of(self.k)):
            raise GraphError(f"{len(self.gates)} gates given; k = {self.k} has {self.k**2} edges")

    @classmethod
    def from_edges(cls, k: int, gates: Mapping[Edge, Gate], default: Gate = Gate.CUTOFF) -> "KnowledgeTransferGraph":
        """A graph from the gates of some edges; edges that are not named carry `default`."""
        edges = edges_of(k)
        for edge in sorted(set(gates) - set(edges)):
            raise GraphError(f"edge {edge.name} is not among the {k * k} edges of k = {k}")
        return cls(k, tuple(gates.get(edge, default) for edge in edges))

    def __getitem__(self, edge: Edge) -> Gate:
        """The gate of `edge`; KeyError if the graph has no such edge."""
        for candidate, gate in self.items():
            if candidate == edge:
                return gate
        raise KeyError(edge.name)

    def items(self) -> Iterator[tuple[Edge, Gate]]:
        """Every edge with its gate, in the order of `edges_of(k)`."""
        return zip(edges_of(self.k), self.gates, strict=True)

    def incoming(self, target: int) -> tuple[tuple[Edge, Gate], ...]:
        """The edges into generator `target` (1..k) that are not cut off, with their gates."""
        return tuple((edge, gate) for edge, gate in self.items() if edge.target == target and gate is not Gate.CUTOFF)

    def relabel(self, order: Sequence[int]) -> "KnowledgeTransferGraph":
        """The same graph with generator `order[i]` (1..k) renamed to G(i+1)."""
        if sorted(order) != list(range(1, self.k + 1)):
            raise GraphError(f"{list(order)} is not an order of the generators 1..{self.k}")
        new_number = {DISCRIMINATOR: DISCRIMINATOR} | {old: new for new, old in enumerate(order, start=1)}
        moved = {Edge(new_number[e.source], new_number[e.target]): gate for e, gate in self.items()}
        return KnowledgeTransferGraph.from_edges(self.k, moved)

    def to_text(self) -> str:
        """A short form without cut-off edges, e.g. `G1=D:t,G3:p/G2=G1:n/G3=-`; `from_text` reads it back."""
        parts = []
        for target in range(1, self.k + 1):
            sources = ",".join(f"{node_name(e.source)}:{gate.letter}" for e, gate in self.incoming(target))
            parts.append(f"{node_name(target)}={sources or '-'}")
        return "/".join(parts)

    @classmethod
    def from_text(cls, text: str) -> "KnowledgeTransferGraph":
        """Reads `to_text`'s form; whole gate names and spaces are taken too. GraphError says what is wrong."""
        shape = "write it like G1=D:through,G2:positive/G2=D:t (cut-off edges are left out, '-' for none)"
        parts = text.split("/")
        gates: dict[Edge, Gate] = {}
        for number, part in enumerate(parts, start=1):
            target, equals, sources = (piece.strip() for piece in part.partition("="))
            if not equals or target != node_name(number):
                raise GraphError(f"cannot read {part.strip()!r} in graph {text!r}: {shape}")
            for source in sources.split(",") if sources not in ("", "-") else ():
                node, colon, gate = (piece.strip() for piece in source.partition(":"))
                if not colon:
                    raise GraphError(f"cannot read {source.strip()!r} in graph {text!r}: {shape}")
                edge = _edge(node, target, len(parts))
                if edge in gates:
                    raise GraphError(f"edge {edge.name} stands twice in graph {text!r}")
                gates[edge] = Gate.parse(gate)
        return cls.from_edges(len(parts), gates)

    def to_json(self) -> dict[str, Any]:
        """`{"k": k, "edges": {"D->G1": "through", ...}}` with all k*k edges."""
        return {"k": self.k, "edges": {edge.name: gate.value for edge, gate in self.items()}}

    @classmethod
    def from_json(cls, data: Any) -> "KnowledgeTransferGraph":
        """Reads `to_json`'s form; every edge must be named. GraphError says what is wrong."""
        if not isinstance(data, dict) or set(data) != {"k", "edges"} or not isinstance(data["edges"], dict):
            raise GraphError('a graph in JSON is {"k": 2, "edges": {"D->G1": "through", ...}}')
        if not isinstance(data["k"], int) or isinstance(data["k"], bool):
            raise GraphError(f"k is {data['k']!r} in the graph's JSON; it is a whole number of at least 1")
        if data["k"] > len(data["edges"]):  # before k*k edges are made for a k that is a slip of the pen
            raise GraphError(f"the graph's JSON has {len(data['edges'])} edges; k = {data['k']} has k * k")
        edges = {edge.name: edge for edge in edges_of(data["k"])}
        missing, unknown = set(edges) - set(data["edges"]), set(data["edges"]) - set(edges)
        if missing or unknown:
            raise GraphError(
                f"the graph's JSON with k = {data['k']} lacks the edges {sorted(missing)} "
                f"and has the unknown edges {sorted(unknown, key=str)}"
            )
        return cls.from_edges(data["k"], {edges[name]: Gate.parse(str(gate)) for name, gate in data["edges"].items()})

    def describe(self) -> list[str]:
        """The graph in words, one line per generator."""
        words = {Gate.THROUGH: "at full weight", Gate.POSITIVE: "more and more", Gate.NEGATIVE: "less and less"}
        lines = []
        for target in range(1, self.k + 1):
            said = [f"from {node_name(e.source)} {words[gate]} ({gate.value})" for e, gate in self.incoming(target)]
            learns = ", ".join(said) or "nothing: every edge is cut off"
            lines.append(f"{node_name(target)} learns {learns}")
        return lines


def _edge(source: str, target: str, k: int) -> Edge:
    """The edge between two named nodes of a graph with k generators; GraphError if there is none."""
    numbers = []
    for node in (source, target):
        match = re.fullmatch(r"D|G([1-9][0-9]{0,3})", node)
        if not match or (match[1] and int(match[1]) > k):
            raise GraphError(f"unknown node {node!r}; the nodes are D, " + ", ".join(f"G{i}" for i in range(1, k + 1)))
        numbers.append(int(match[1] or DISCRIMINATOR))
    if numbers[0] == numbers[1]:
        raise GraphError(f"{source} cannot teach itself")
    return Edge(*numbers)
