"""Teams: generators that teach each other form a team, and a generator is worth what its team is."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster


class Teams(Family):
    """Structure that appears only where edges are open both ways: who belongs together decides."""

    name = "teams"
    words = "the team of generators that teach each other both ways: its size, its members' match, how many hear D"
    shared = 0.25

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """A value for each size of team, a match for each two gates, a wanted number of members that hear D, and the
        cost of knowledge that comes one way only."""
        at, k = places(roster), roster.generators
        is_open = np.array([gate is not CUTOFF for gate in gates])
        of_size = rng.normal(size=k + 1)
        match = rng.normal(size=(len(gates), len(gates)))
        match = (match + match.T) / np.sqrt(2)
        wanted, slope = int(rng.integers(1, k + 1)), rng.uniform(0.5, 1.5)
        one_way, own = rng.uniform(0.2, 1.0), rng.normal(0.0, 0.5, size=len(gates))

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            n = len(graphs)
            teaches = np.zeros((n, k, k), dtype=bool)  # [N, target, source]
            matched = np.zeros((n, k, k))
            for i in range(k):
                for j in set(range(k)) - {i}:
                    teaches[:, i, j] = is_open[graphs[:, at.transfer[i, j]]]
                    matched[:, i, j] = match[graphs[:, at.transfer[i, j]], graphs[:, at.transfer[j, i]]]
            mutual = teaches & teaches.swapaxes(1, 2)
            together = mutual | np.eye(k, dtype=bool)
            for _ in range(k - 1):  # a member's partners are members
                together = np.einsum("nij,njl->nil", together.astype(int), together.astype(int)) > 0
            size = together.sum(axis=2)  # [N, k]
            pairs = np.where(mutual, matched, 0.0).sum(axis=2)  # of each member
            inside = np.einsum("nij,nj->ni", together.astype(float), mutual.sum(axis=2).astype(float))
            agreement = np.einsum("nij,nj->ni", together.astype(float), pairs) / np.maximum(inside, 1.0)
            hears = is_open[graphs[:, at.adversarial]]
            hearing = np.einsum("nij,nj->ni", together.astype(int), hears.astype(int))
            scores = of_size[size] + agreement - slope * np.abs(hearing - np.minimum(wanted, size))
            return np.asarray(scores - one_way * (teaches & ~mutual).sum(axis=2) + own[graphs[:, at.adversarial]])

        return means


TEAMS = Teams()
