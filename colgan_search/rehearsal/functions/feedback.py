"""Feedback: every generator's quality follows its teachers', which follow theirs, for some steps."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster

STEPS = 12
RATE = 0.5
"""How far a generator goes, in one step, to where D and its teachers draw it."""


class Feedback(Family):
    """Where coupled generators are after some steps, at rest or in a cycle: no edge has an effect of its own."""

    name = "feedback"
    words = "generators' qualities after 12 steps in which each is drawn to, or driven from, its teachers' qualities"
    shared = 0.1

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Each gate's drive from D, its pull towards a teacher's quality (may be negative: away from it), what a good
        teacher gives beside it, and what every open edge costs."""
        at, k = places(roster), roster.generators
        is_open = np.array([gate is not CUTOFF for gate in gates])
        drive = rng.normal(size=len(gates)) * np.where(is_open, 1.0, 0.3)
        pull = rng.normal(0.3, 1.0, size=len(gates)) * is_open
        gift = rng.normal(0.0, 0.7, size=len(gates)) * is_open
        cost, gain = rng.uniform(0.0, 0.3), rng.uniform(0.8, 2.0)

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            n = len(graphs)
            pulls, gifts, open_edges = (np.zeros((n, k, k)) for _ in range(3))  # [N, target, source]
            for i in range(k):
                for j in set(range(k)) - {i}:
                    gate = graphs[:, at.transfer[i, j]]
                    pulls[:, i, j], gifts[:, i, j], open_edges[:, i, j] = pull[gate], gift[gate], is_open[gate]
            driven = drive[graphs[:, at.adversarial]] - cost * open_edges.sum(axis=2)  # [N, k]
            quality = np.zeros((n, k))
            for _ in range(STEPS):
                towards = (pulls * (quality[:, None, :] - quality[:, :, None])).sum(axis=2)
                given = (gifts * np.maximum(quality, 0.0)[:, None, :]).sum(axis=2)
                quality = (1 - RATE) * quality + RATE * np.tanh(gain * (driven + towards + given))
            return quality

        return means


FEEDBACK = Feedback()
