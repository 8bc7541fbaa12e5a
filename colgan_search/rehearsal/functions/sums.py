"""Sums of random effects: of the edges around each generator, and of pairs and triples of edges of the whole graph."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster
from colgan_search.symmetry.relabelling import moves, shell_edges

PAIRS = TRIPLES = 12


class Maximum(Family):
    """A graph is worth what its best generator is, and each generator has noise of its own."""

    name = "maximum"
    words = "each generator's score from the edges around it, added up with their pairs; noise of its own"

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Normal effects: own adversarial edge; its pairs with teachers' edges, theirs with their own; and back."""
        at, k, size = places(roster), roster.generators, (len(gates), len(gates))
        own, pair, teacher, back = rng.normal(size=size[0]), *(rng.normal(size=size) for _ in range(3))

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            scores = np.zeros((len(graphs), k))
            for i in range(k):
                adversarial = graphs[:, at.adversarial[i]]
                scores[:, i] = own[adversarial]
                for j in set(range(k)) - {i}:
                    learnt = graphs[:, at.transfer[i, j]]
                    scores[:, i] += pair[adversarial, learnt] + teacher[graphs[:, at.adversarial[j]], learnt]
                    scores[:, i] += 0.5 * back[learnt, graphs[:, at.transfer[j, i]]]
            return scores

        return means


class Interactions(Family):
    """Pairs and triples of edges anywhere in the graph; all generators rise and fall together."""

    name = "interactions"
    words = "pairs and triples of edges of the whole graph, averaged over relabellings; the generators' scores parallel"
    shared = 0.5

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """12 tables of normal effects on random pairs of edges and 12 on triples (fewer edges: what there is)."""
        places(roster)
        edges, k = len(roster.edges), roster.generators
        terms = [
            (rng.choice(edges, size, replace=False), rng.normal(size=(len(gates),) * size))
            for size, number in ((2, PAIRS), (3, TRIPLES))
            for _ in range(number if edges >= size else 0)
        ]
        in_shell = np.argsort([roster.place(edge) for edge in shell_edges(roster)])
        relabelled = moves(roster)[:, in_shell]  # [R, E]: the place that each edge's gate comes from

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            total = np.zeros(len(graphs))
            for row in relabelled:
                for where, effects in terms:
                    total += effects[tuple(graphs[:, row[place]] for place in where)]
            return np.repeat(total[:, None] / len(relabelled), k, axis=1)

        return means


MAXIMUM, INTERACTIONS = Maximum(), Interactions()
