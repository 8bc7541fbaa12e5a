"""Modes: which of the data's modes each generator covers, by what it hears, and how evenly."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.gates import CUTOFF, Gate
from colgan_search.rehearsal.functions.family import Family, Means
from colgan_search.rehearsal.problem import places
from colgan_search.roster import Roster

MODES = 6
ROUNDS = 3
"""How often generators hear what their teachers cover by then."""
ALWAYS = 0.05
"""Of each mode, whatever is heard."""


class Modes(Family):
    """What teachers cover is united or taken away, mode by mode: a second teacher of the same modes brings less."""

    name = "modes"
    words = "which modes a generator covers: what D and its teachers cover is united, or taken away; evenness counts"
    shared = 0.15

    def draw(self, roster: Roster, gates: tuple[Gate, ...], rng: np.random.Generator) -> Means:
        """Which modes D brings by each gate, how much of a teacher's each gate takes over or away, and evenness's
        weight."""
        at, k = places(roster), roster.generators
        is_open = np.array([gate is not CUTOFF for gate in gates])
        some = rng.random((len(gates), MODES)) < 0.5
        from_d = rng.uniform(0.1, 0.9, size=(len(gates), MODES)) * some * is_open[:, None]
        strength = rng.uniform(0.1, 0.9, size=len(gates)) * is_open
        away = rng.random(len(gates)) < 0.35
        evenness = rng.uniform(0.3, 1.5)

        def means(graphs: NDArray[np.int8]) -> NDArray[np.float64]:
            own = np.maximum(from_d[graphs[:, at.adversarial]], ALWAYS)  # [N, k, modes]
            covered = own
            for _ in range(ROUNDS):
                missed, kept = 1.0 - own, np.ones_like(own)
                for i in range(k):
                    for j in set(range(k)) - {i}:
                        gate = graphs[:, at.transfer[i, j]]
                        heard = strength[gate, None] * covered[:, j]
                        missed[:, i] *= np.where(away[gate, None], 1.0, 1.0 - heard)
                        kept[:, i] *= np.where(away[gate, None], 1.0 - heard, 1.0)
                covered = np.maximum((1.0 - missed) * kept, ALWAYS / 10)
            total = covered.sum(axis=2)
            share = covered / total[:, :, None]
            return np.asarray(total + evenness * np.exp(-(share * np.log(share)).sum(axis=2)))

        return means


MODES_FAMILY = Modes()
