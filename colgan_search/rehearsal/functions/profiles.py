"""Profiles: what a generator hears, all added up, compared with an ideal and with what its teachers hear."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster

DIMENSIONS = 3


class Profiles(Family):
    """Smooth in sums that no single edge shows, with ridges instead of effects of gates."""

    name = "profiles"
    words = "the sum of what a generator hears, near a hidden ideal, and unlike what its teachers hear"
    shared = 0.3

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Three numbers for each gate of either kind of edge (0 where cut off), the ideal, and two weights."""
        at, k = places(roster), roster.generators
        is_open = np.array([gate is not CUTOFF for gate in gates])
        from_d, from_g = (rng.normal(size=(len(gates), DIMENSIONS)) * is_open[:, None] for _ in range(2))
        ideal = rng.normal(0.0, 1.5, size=DIMENSIONS)
        unlike, same = rng.uniform(0.3, 1.2), rng.uniform(0.5, 2.0)

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            heard = from_d[graphs[:, at.adversarial]]  # [N, k, 3]
            for i in range(k):
                for j in set(range(k)) - {i}:
                    heard[:, i] += from_g[graphs[:, at.transfer[i, j]]]
            scores = np.asarray(-np.linalg.norm(heard - ideal, axis=2))
            for i in range(k):
                for j in set(range(k)) - {i}:
                    apart = np.linalg.norm(heard[:, i] - heard[:, j], axis=1)
                    scores[:, i] += is_open[graphs[:, at.transfer[i, j]]] * unlike * np.tanh(apart / same - 1.0)
            return scores

        return means


PROFILES = Profiles()
