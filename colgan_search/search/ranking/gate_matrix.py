"""How graphs with a gate on an edge do: edges by gates, over distinct graphs up to relabelling.

The names of generators mean nothing. An edge stands here by what its ends are in its graph: `#1` is the generator with
the best mean score, `#2` the next. Every distinct graph then has one gate on every such edge, whatever its labels.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from colgan_search.records import Objective
from colgan_search.roster import Node
from colgan_search.search.ranking.estimates import GraphEstimate


@dataclass(frozen=True)
class Cell:
    """The distinct graphs with one gate on one edge."""

    graphs: int
    mean: float | None
    """Of the means of their runs; None without any."""


@dataclass(frozen=True)
class GateMatrix:
    """Rows are edges, columns the gates that the study allows."""

    edges: tuple[str, ...]
    gates: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]
    """[edges][gates]"""
    graphs: int
    mean: float
    """Of all distinct graphs."""


def gate_matrix(graphs: Sequence[GraphEstimate], gates: Sequence[str], objective: Objective) -> GateMatrix:
    """The matrix of these graphs. ValueError without any."""
    if not graphs:
        raise ValueError("no graphs")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in graphs:
        ranked = sorted(range(1, one.graph.k + 1), key=lambda g: (objective.rank(one.generators[g - 1]), g))
        place = {f"G{number}": f"#{at}" for at, number in enumerate(ranked, start=1)}
        for edge, gate in one.graph.items():
            found[f"{_name(edge.source, place)} → {_name(edge.target, place)}", gate.name].append(one.mean)
    edges = sorted({edge for edge, _ in found}, key=_order)
    cells = tuple(tuple(_cell(found.get((edge, gate), [])) for gate in gates) for edge in edges)
    return GateMatrix(tuple(edges), tuple(gates), cells, len(graphs), sum(one.mean for one in graphs) / len(graphs))


def _order(edge: str) -> tuple[bool, int, str]:
    """Edges from discriminators first; then by their source."""
    source = edge.partition(" ")[0]
    return source.startswith("#"), int(source[1:] or 0) if source.startswith("#") else 0, edge


def _name(node: Node, place: dict[str, str]) -> str:
    return place.get(node.name, node.name)


def _cell(values: Sequence[float]) -> Cell:
    return Cell(len(values), sum(values) / len(values) if values else None)
