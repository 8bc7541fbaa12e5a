"""Paths and cycles: what the discriminator knows reaches a generator along open edges, and rumours go round."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, THROUGH, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster


class Reachability(Family):
    """A property of the whole graph that no sum over few edges has."""

    name = "reachability"
    words = "the strongest paths from the discriminator to each generator, through other generators; cycles punished"
    shared = 0.2

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Each gate passes a share on (through all, cut off nothing); how much a path's length and a cycle count."""
        at, k = places(roster), roster.generators
        passes = np.array(
            [0.0 if gate is CUTOFF else 1.0 if gate is THROUGH else rng.uniform(0.2, 0.8) for gate in gates]
        )
        # A teacher in between may help or hurt; direct knowledge alone is never the whole.
        hop, cycle, breadth = rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.5), rng.uniform(0.0, 0.6)

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            n = len(graphs)
            teaches = np.zeros((n, k, k))  # [N, target, source]
            for i in range(k):
                for j in set(range(k)) - {i}:
                    teaches[:, i, j] = passes[graphs[:, at.transfer[i, j]]]
            reached = direct = passes[graphs[:, at.adversarial]]  # [N, k]
            scores: NDArray[np.float64] = direct.copy()
            for _ in range(k - 1):  # each round goes one teacher further
                reached = (teaches * reached[:, None, :]).max(axis=2)
                scores += hop * reached
            around = teaches
            for _ in range(k - 1):  # closed walks of 2, 3, ..., k edges
                around = (around[:, :, :, None] * teaches[:, None, :, :]).max(axis=2)
                scores -= cycle * np.diagonal(around, axis1=1, axis2=2)
            # Many sources at once are better than the strongest alone, up to a point.
            scores += breadth * np.minimum(teaches.sum(axis=2), 1.5)
            return scores

        return means


REACHABILITY = Reachability()
