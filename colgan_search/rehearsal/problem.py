"""What a rehearsed search searches: graphs that can be "trained" at once, and what each is truly worth."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from colgan_search.errors import GraphError
from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import EdgeKind, Roster
from colgan_search.symmetry import distinct_graphs

FLOOR = 1.0
"""The value of a training that diverged: the floor of the inception score."""

Unit = Literal["sd", "IS"]
"""Of regret: standard deviations of a function over all distinct graphs; inception scores."""

HOURS_SPREAD = 0.25
"""Standard deviation of the logarithm of a training's hours."""


@dataclass(frozen=True)
class Training:
    """One training of one graph, as it would have gone."""

    scores: NDArray[np.float64]
    """[M, k]: each generator's score at each moment, larger is better; the last row is the end."""
    hours: float
    """Of the whole training; a moment is reached at its share of them."""
    diverged: bool = False
    """Its value is FLOOR, and it has no scores that a search would see."""

    @property
    def value(self) -> float:
        """What a search is told at the end: the maximum over the generators."""
        return FLOOR if self.diverged else float(self.scores[-1].max())


class Problem(ABC):
    """One rehearsed search's world. The same problem and the same `rng` give the same trainings."""

    roster: Roster
    gates: tuple[Gate, ...]
    moments: tuple[float, ...]
    """Shares of a training, in (0, 1], increasing, the last 1: when it is scored."""
    candidates: Sequence[KnowledgeTransferGraph] | None
    """The only graphs that can be trained; None = all."""
    best: float
    """The value that regret is counted from: the best graph's."""
    unit: Unit
    """Of regret, in words: `sd` (of the function, over all distinct graphs), `IS`."""
    sd: float
    """The unit, in scores."""
    mean_hours: float
    """Of one whole training."""

    @abstractmethod
    def train(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Training:
        """One more training of the graph."""

    @abstractmethod
    def judged(self, graph: KnowledgeTransferGraph) -> float:
        """The value by which a graph that is named, or was trained, is judged."""


def digits(graphs: Sequence[KnowledgeTransferGraph], gates: Sequence[Gate]) -> NDArray[np.int8]:
    """[N, E]: the place in `gates` of each edge's gate. GraphError for a gate that is not among them."""
    place = {gate: number for number, gate in enumerate(gates)}
    try:
        return np.array([[place[gate] for gate in graph.gates] for graph in graphs], dtype=np.int8)
    except KeyError as error:
        raise GraphError(
            f"a graph has {error.args[0]}; the gates here are {', '.join(g.name for g in gates)}"
        ) from None


@lru_cache(maxsize=4)
def all_digits(roster: Roster, gates: tuple[Gate, ...]) -> NDArray[np.int8]:
    """`digits` of every distinct graph. GraphError where there are too many to list."""
    return digits(list(distinct_graphs(roster, gates)), gates)


@dataclass(frozen=True)
class Places:
    """Where the edges between nodes stand in `roster.edges`."""

    adversarial: NDArray[np.int64]
    """[k]: D -> G(i+1)."""
    transfer: NDArray[np.int64]
    """[k, k]: [i, j] is G(j+1) -> G(i+1); the diagonal is -1."""


@lru_cache(maxsize=8)
def places(roster: Roster) -> Places:
    """The places of a roster with one discriminator. GraphError with several."""
    if roster.discriminators > 1:
        raise GraphError(f"rehearsals know graphs with one discriminator; these have {roster.discriminators}")
    k = roster.generators
    adversarial, transfer = np.zeros(k, dtype=np.int64), np.full((k, k), -1, dtype=np.int64)
    for place, edge in enumerate(roster.edges):
        if edge.kind is EdgeKind.ADVERSARIAL:
            adversarial[edge.target.number - 1] = place
        else:
            transfer[edge.target.number - 1, edge.source.number - 1] = place
    return Places(adversarial, transfer)
