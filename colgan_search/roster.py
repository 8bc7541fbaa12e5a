"""The nodes of a knowledge transfer graph and the gated edges between them (section 3.2, and the paper's future work).

k generators G1..Gk and m discriminators. A single discriminator is called D, several are D1..Dm. Every discriminator
has an adversarial edge to every generator; generators teach one another, and so do discriminators.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from colgan_search.errors import GraphError

MAX_K = 64
"""Generators of a graph: 4,096 edges, more than anybody trains; bounds what a slip of the pen can cost."""
MAX_DISCRIMINATORS = 16


class EdgeKind(str, Enum):
    """What travels along an edge."""

    ADVERSARIAL = "adversarial"
    """D_j -> G_i: equation 2."""
    TRANSFER = "transfer"
    """G_t -> G_s: equations 4 and 5."""
    DISCRIMINATOR_TRANSFER = "discriminator transfer"
    """D_a -> D_b: the paper's future work, our reading."""


@dataclass(frozen=True, order=True)
class Node:
    """A network of the graph. Discriminators sort before generators."""

    letter: str
    """D or G."""
    number: int
    """1, 2, ...; 0 for the only discriminator."""

    @property
    def name(self) -> str:
        """`G1`, `D1`, or `D` for the only discriminator."""
        return f"{self.letter}{self.number or ''}"

    @property
    def index(self) -> int:
        """Its place among its like, from 0."""
        return max(self.number - 1, 0)


D = Node("D", 0)
"""The only discriminator."""
_KINDS = {
    ("D", "G"): EdgeKind.ADVERSARIAL,
    ("G", "G"): EdgeKind.TRANSFER,
    ("D", "D"): EdgeKind.DISCRIMINATOR_TRANSFER,
}


def generator(number: int) -> Node:
    """G1, G2, ..."""
    return Node("G", number)


def discriminator(number: int) -> Node:
    """D1, D2, ... of several; see `D` for the only one."""
    return Node("D", number)


@dataclass(frozen=True, order=True)
class Edge:
    """A directed edge `source -> target`: the target learns from the source."""

    source: Node
    target: Node

    @property
    def name(self) -> str:
        """`D->G1` or `G2->G1`: also the name of the edge's Optuna parameter."""
        return f"{self.source.name}->{self.target.name}"

    @property
    def kind(self) -> EdgeKind:
        """What travels along it. GraphError between nodes that have no edge."""
        kind = _KINDS.get((self.source.letter, self.target.letter))
        if kind is None or self.source == self.target:
            raise GraphError(f"there is no edge {self.name}")
        return kind

    @property
    def adversarial(self) -> bool:
        """True for D_j -> G_i (equation 2), False for a transfer edge."""
        return self.kind is EdgeKind.ADVERSARIAL


@dataclass(frozen=True, order=True)
class Roster:
    """Which nodes a graph has: k generators and m discriminators."""

    generators: int
    discriminators: int = 1

    def __post_init__(self) -> None:
        for count, most, what in (
            (self.generators, MAX_K, "generator"),
            (self.discriminators, MAX_DISCRIMINATORS, "discriminator"),
        ):
            if not 1 <= count <= most:
                name = "k" if what == "generator" else "m"
                raise GraphError(f"{name} is {count}; a graph has at least one {what} and at most {most}")

    @property
    def generator_nodes(self) -> tuple[Node, ...]:
        """G1..Gk."""
        return tuple(generator(i) for i in range(1, self.generators + 1))

    @property
    def discriminator_nodes(self) -> tuple[Node, ...]:
        """D, or D1..Dm."""
        if self.discriminators == 1:
            return (D,)
        return tuple(discriminator(j) for j in range(1, self.discriminators + 1))

    @property
    def learners(self) -> tuple[Node, ...]:
        """The nodes that edges lead to, in the order of the edges: G1..Gk, then D1..Dm if there are several."""
        return self.generator_nodes + (self.discriminator_nodes if self.discriminators > 1 else ())

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge: for each target G1..Gk its adversarial edges, then its teachers; then those into D1..Dm."""
        return _edges(self)

    @property
    def exchangeable(self) -> tuple[tuple[Node, ...], ...]:
        """Groups of nodes whose names mean nothing: graphs that differ only by them are the same."""
        return self.generator_nodes, self.discriminator_nodes

    def node(self, name: str) -> Node:
        """The node of that name; GraphError lists them."""
        for node in (*self.discriminator_nodes, *self.generator_nodes):
            if node.name == name:
                return node
        known = ", ".join(node.name for node in (*self.discriminator_nodes, *self.generator_nodes))
        raise GraphError(f"unknown node {name!r}; the nodes are {known}")

    def edge(self, source: str, target: str) -> Edge:
        """The edge between two named nodes; GraphError if there is none."""
        edge = Edge(self.node(source), self.node(target))
        if edge.source == edge.target:
            raise GraphError(f"{source} cannot teach itself")
        if edge not in _places(self):
            raise GraphError(f"there is no edge {edge.name}: generators do not teach discriminators")
        return edge

    def place(self, edge: Edge) -> int:
        """The edge's place in `edges`; KeyError if the roster has no such edge."""
        places = _places(self)
        if edge not in places:
            raise KeyError(edge.name)
        return places[edge]

    def __str__(self) -> str:
        several = f", {self.discriminators} discriminators" if self.discriminators > 1 else ""
        return f"k = {self.generators}{several}"


@lru_cache(maxsize=16)
def _edges(roster: Roster) -> tuple[Edge, ...]:
    into_generators = (
        Edge(source, target)
        for target in roster.generator_nodes
        for source in (*roster.discriminator_nodes, *roster.generator_nodes)
    )
    among_discriminators = (
        Edge(source, target) for target in roster.discriminator_nodes for source in roster.discriminator_nodes
    )
    return tuple(edge for edge in (*into_generators, *among_discriminators) if edge.source != edge.target)


@lru_cache(maxsize=16)
def _places(roster: Roster) -> dict[Edge, int]:
    return {edge: place for place, edge in enumerate(_edges(roster))}
