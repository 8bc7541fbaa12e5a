"""The knowledge transfer graph: generators, discriminators and the gated edges between them (section 3.2)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, Gate, parse_gate
from colgan_search.roster import D, Edge, Node, Roster, discriminator, generator

_NODE = re.compile(r"([DG])([1-9][0-9]{0,3})")
_SEVERAL = "several discriminators are targets too, after the generators: G1=D1:t,D2:p/D1=D2:t/D2=-"
_SHAPE = "write it like G1=D:through,G2:positive/G2=D:t (cut-off edges are left out, '-' for none)"


@dataclass(frozen=True, repr=False)
class KnowledgeTransferGraph:
    """A roster and the gates of its edges, in the order of `roster.edges`.

    Hashable, immutable; equal graphs have equal gates (see `symmetry.canonical` for equality up to relabelling).
    """

    roster: Roster
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        if len(self.gates) != len(self.roster.edges):
            raise GraphError(f"{len(self.gates)} gates given; {self.roster} has {len(self.roster.edges)} edges")

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return f"KnowledgeTransferGraph.from_text({self.to_text()!r})"

    @classmethod
    def from_edges(cls, roster: Roster, gates: Mapping[Edge, Gate], default: Gate = CUTOFF) -> "KnowledgeTransferGraph":
        """A graph from the gates of some edges; edges that are not named carry `default`."""
        edges = roster.edges
        for edge in sorted(set(gates) - set(edges)):
            raise GraphError(f"edge {edge.name} is not among the {len(edges)} edges of {roster}")
        return cls(roster, tuple(gates.get(edge, default) for edge in edges))

    @property
    def k(self) -> int:
        """The number of generators."""
        return self.roster.generators

    def __getitem__(self, edge: Edge) -> Gate:
        """The gate of `edge`; KeyError if the graph has no such edge."""
        return self.gates[self.roster.place(edge)]

    def items(self) -> Iterator[tuple[Edge, Gate]]:
        """Every edge with its gate, in the order of `roster.edges`."""
        return zip(self.roster.edges, self.gates, strict=True)

    def incoming(self, target: Node) -> tuple[tuple[Edge, Gate], ...]:
        """The edges into `target` that are not cut off, with their gates."""
        return tuple((edge, gate) for edge, gate in self.items() if edge.target == target and gate is not CUTOFF)

    def relabel(self, generators: Sequence[int], discriminators: Sequence[int] = ()) -> "KnowledgeTransferGraph":
        """The same graph with generator `generators[i]` (1..k) renamed to G(i+1); discriminators likewise, or as is."""
        roster = self.roster
        old: dict[Node, Node] = {}
        for new_nodes, order, what in (
            (roster.generator_nodes, generators, "generators"),
            (roster.discriminator_nodes, discriminators or range(1, roster.discriminators + 1), "discriminators"),
        ):
            if sorted(order) != list(range(1, len(new_nodes) + 1)):
                raise GraphError(f"{list(order)} is not an order of the {what} 1..{len(new_nodes)}")
            old |= {new: new_nodes[number - 1] for new, number in zip(new_nodes, order, strict=True)}
        return KnowledgeTransferGraph(
            roster, tuple(self[Edge(old[edge.source], old[edge.target])] for edge in roster.edges)
        )

    def to_text(self) -> str:
        """A short form without cut-off edges, e.g. `G1=D:t,G3:p/G2=G1:n/G3=-`; `from_text` reads it back.

        With several discriminators those follow as targets: `G1=D1:t,D2:p/D1=D2:t/D2=-`.
        """
        parts = []
        for target in self.roster.learners:
            sources = ",".join(f"{edge.source.name}:{gate.letter}" for edge, gate in self.incoming(target))
            parts.append(f"{target.name}={sources or '-'}")
        return "/".join(parts)

    @classmethod
    def from_text(cls, text: str) -> "KnowledgeTransferGraph":
        """Reads `to_text`'s form; whole gate names and spaces are taken too. GraphError says what is wrong."""
        parts = [tuple(piece.strip() for piece in part.partition("=")) for part in text.split("/")]
        roster = _roster_of(text, [target for target, _, _ in parts])
        gates: dict[Edge, Gate] = {}
        for target, equals, sources in parts:
            if not equals:
                raise GraphError(f"cannot read {target!r} in graph {_short(text)}: {_SHAPE}")
            for source in sources.split(",") if sources not in ("", "-") else ():
                node, colon, gate = (piece.strip() for piece in source.partition(":"))
                if not colon:
                    raise GraphError(f"cannot read {source.strip()!r} in graph {_short(text)}: {_SHAPE}")
                if roster.discriminators == 1 and node != D.name and node.startswith(D.letter):
                    raise GraphError(f"graph {_short(text)} has the source {node!r}; {_SEVERAL}")
                edge = roster.edge(node, target)
                if edge in gates:
                    raise GraphError(f"edge {edge.name} stands twice in graph {_short(text)}")
                gates[edge] = parse_gate(gate)
        return cls.from_edges(roster, gates)

    def to_json(self) -> dict[str, Any]:
        """`{"k": k, "edges": {"D->G1": "through", ...}}` with all edges; `discriminators` too if there are several."""
        several = {"discriminators": self.roster.discriminators} if self.roster.discriminators > 1 else {}
        return {"k": self.k, **several, "edges": {edge.name: gate.name for edge, gate in self.items()}}

    @classmethod
    def from_json(cls, data: Any) -> "KnowledgeTransferGraph":
        """Reads `to_json`'s form; every edge must be named. GraphError says what is wrong."""
        if (
            not isinstance(data, dict)
            or not {"k", "edges"} <= set(data) <= {"k", "edges", "discriminators"}
            or not isinstance(data["edges"], dict)
        ):
            raise GraphError('a graph in JSON is {"k": 2, "edges": {"D->G1": "through", ...}}')
        counts = {"k": data["k"], "discriminators": data.get("discriminators", 1)}
        for name, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool):
                raise GraphError(f"{name} is {count!r} in the graph's JSON; it is a whole number of at least 1")
            if count > len(data["edges"]) + 1:  # before all edges are made for a number that is a slip of the pen
                raise GraphError(f"the graph's JSON has {len(data['edges'])} edges; {name} = {count} has more")
        roster = Roster(counts["k"], counts["discriminators"])
        edges = {edge.name: edge for edge in roster.edges}
        missing, unknown = set(edges) - set(data["edges"]), set(data["edges"]) - set(edges)
        if missing or unknown:
            raise GraphError(
                f"the graph's JSON with {roster} lacks the edges {sorted(missing)} "
                f"and has the unknown edges {sorted(unknown, key=str)}"
            )
        gates = {edges[name]: parse_gate(str(gate)) for name, gate in data["edges"].items()}
        return cls.from_edges(roster, gates)

    def describe(self) -> list[str]:
        """The graph in words, one line per node that learns along edges."""
        lines = []
        for target in self.roster.learners:
            said = [f"from {edge.source.name} {gate.words} ({gate.name})" for edge, gate in self.incoming(target)]
            if target.letter == "D":
                said.insert(0, "from real and generated images")
            learns = ", ".join(said) or "nothing: every edge is cut off"
            lines.append(f"{target.name} learns {learns}")
        return lines


def _roster_of(text: str, targets: Sequence[str]) -> Roster:
    """The roster of a text form by its targets: G1..Gk, then D1..Dm if there are several discriminators."""
    k = sum(target.startswith("G") for target in targets)
    m = len(targets) - k
    expected = [generator(i).name for i in range(1, k + 1)] + [discriminator(j).name for j in range(1, m + 1)]
    for target, wanted in zip(targets, expected, strict=True):
        if target != wanted or not _NODE.fullmatch(target):
            hint = _SEVERAL if target.startswith(D.letter) else _SHAPE
            raise GraphError(f"cannot read {_short(target)} in graph {_short(text)}: {hint}")
    if m == 1:
        raise GraphError(
            f"cannot read 'D1' in graph {_short(text)}: the only discriminator is called D, and no edge leads to it"
        )
    return Roster(k, m or 1)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
