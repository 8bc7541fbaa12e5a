"""Trial <-> graph. The only owner of Optuna parameter names: an edge's parameter is named after the edge."""

from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import Trial

from colgan_search.errors import GraphError
from colgan_search.gates import Gate, get_gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster


def distributions(roster: Roster, gates: Sequence[Gate]) -> dict[str, BaseDistribution]:
    """One categorical parameter per edge, over the gates that the study allows."""
    return {edge.name: CategoricalDistribution([gate.name for gate in gates]) for edge in roster.edges}


def suggest_graph(trial: Trial, roster: Roster, gates: Sequence[Gate]) -> KnowledgeTransferGraph:
    """Asks the trial for every edge's gate. Parameters that it has already keep their values."""
    choices = [gate.name for gate in gates]
    chosen = {edge: get_gate(trial.suggest_categorical(edge.name, choices)) for edge in roster.edges}
    return KnowledgeTransferGraph.from_edges(roster, chosen)


def graph_of(params: Mapping[str, Any], roster: Roster) -> KnowledgeTransferGraph:
    """The graph of a trial's parameters. GraphError if one is missing."""
    edges = roster.edges
    missing = [edge.name for edge in edges if edge.name not in params]
    if missing:
        raise GraphError(f"the trial has no gate for {', '.join(missing)}")
    return KnowledgeTransferGraph.from_edges(roster, {edge: get_gate(params[edge.name]) for edge in edges})


def params_of(graph: KnowledgeTransferGraph, gates: Sequence[Gate]) -> dict[str, str]:
    """The parameters of a graph. GraphError if it uses a gate that the study does not allow."""
    foreign = {gate.name for _, gate in graph.items() if gate not in gates}
    if foreign:
        allowed = ", ".join(gate.name for gate in gates)
        raise GraphError(f"graph {graph.to_text()} uses the gates {sorted(foreign)}; the study has only {allowed}")
    return {edge.name: gate.name for edge, gate in graph.items()}
