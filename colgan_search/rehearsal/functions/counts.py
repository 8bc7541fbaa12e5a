"""Counts of edges with cliffs: one edge more or less, and the score falls."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster


class Cliffs(Family):
    """How many edges are open matters, not which."""

    name = "cliffs"
    words = "numbers of open edges, in the graph and into each generator, with thresholds where the score falls"

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Slopes for each gate's number, a random walk for open edges into a generator, and three cliffs."""
        at, k = places(roster), roster.generators
        is_open = np.array([gate is not CUTOFF for gate in gates])
        slopes = rng.normal(0.0, 0.3, size=len(gates))
        into = np.concatenate([[0.0], np.cumsum(rng.normal(0.0, 0.7, size=k))])
        most = int(rng.integers(k * k // 2, k * k))
        fall, starve, favoured = rng.uniform(2, 4), rng.uniform(1, 3), rng.uniform(1, 2)
        gate, number = int(rng.integers(len(gates))), int(rng.integers(1, k + 1))

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            opened = is_open[graphs]
            crowded = fall * (opened.sum(axis=1) > most)  # too many in all
            scores = np.zeros((len(graphs), k))
            for i in range(k):
                incoming = [at.adversarial[i], *(at.transfer[i, j] for j in range(k) if j != i)]
                count = opened[:, incoming].sum(axis=1)
                scores[:, i] = into[count] + slopes[graphs[:, incoming]].sum(axis=1) - crowded - starve * (count == 0)
                scores[:, i] += favoured * ((graphs[:, incoming] == gate).sum(axis=1) >= number)
            return scores

        return means


CLIFFS = Cliffs()
