"""Problems whose truth is known: a function of a family, and noise.

A graph's value is the mean value of its trainings, as everywhere: the expected maximum over its generators' scores,
each with noise of its own. Scores look like inception scores: the best generators' means of all distinct graphs have
mean 6 and standard deviation 0.125.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import stdtr

from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.functions import FAMILIES, Family
from colgan_search.rehearsal.problem import FLOOR, HOURS_SPREAD, Problem, Training, all_digits, digits
from colgan_search.roster import Roster
from colgan_search.surrogate.maximum import expected_maximum

MEAN, SD = 6.0, 0.125
"""As measured on the digits at k = 3."""
MOMENTS = (0.25, 0.5, 0.75, 1.0)
DEGREES = 3
"""Of freedom of Student's t, where tails are heavy."""


class Noise(BaseModel):
    """What a training adds to its graph's truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ratio: float = Field(1.0, ge=0.0, le=100.0, description="sd of one generator's score over the graphs' sd")
    heavy: bool = Field(False, description="Student's t with 3 degrees of freedom, of the same sd, not normal")
    diverging: float = Field(0.0, ge=0.0, le=0.9, description="share of trainings that diverge")


class Synthetic(Problem):
    """One function, drawn by `seed`, with noise."""

    def __init__(self, family: Family, roster: Roster, gates: tuple[Gate, ...], noise: Noise, seed: int) -> None:
        """GraphError for a roster whose graphs are too many to list, or that the family does not know."""
        self.roster, self.gates, self.noise, self.moments, self.candidates = roster, gates, noise, MOMENTS, None
        self.mean_hours = float(np.exp(HOURS_SPREAD**2 / 2))
        name = [ord(letter) for letter in family.name]
        everything = all_digits(roster, gates)
        self._family = family
        self._function = family.draw(roster, gates, np.random.default_rng([seed, 1, *name]))
        values = self._function(everything).max(axis=1)
        self._shift, self._scale = float(values.mean()), float(values.std()) or 1.0
        self.unit, self.sd = "sd", SD
        self.best = float(self._values(self._on_scale(self._function(everything))).max())
        # Another function of the family says how much better a graph looks early than it will be.
        self._early = family.draw(roster, gates, np.random.default_rng([seed, 2, *name]))
        early = self._early(everything)
        self._early_shift, self._early_scale = float(early.mean()), float(early.std()) or 1.0

    def _on_scale(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(MEAN + SD * (raw - self._shift) / self._scale)

    def _values(self, means: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N] of means [N, k]; of trainings that do not diverge."""
        own = self.noise.ratio * SD * float(np.sqrt(1 - self._family.shared))
        if self.noise.heavy:
            return expected_maximum(means, own, student, reach=30.0, nodes=160)
        return expected_maximum(means, own)

    def means(self, graph: KnowledgeTransferGraph) -> NDArray[np.float64]:
        """[k]: the generators' true means."""
        return np.asarray(self._on_scale(self._function(digits([graph], self.gates)))[0])

    def judged(self, graph: KnowledgeTransferGraph) -> float:
        """The true value."""
        return float(self._values(self.means(graph)[None])[0])

    def train(self, graph: KnowledgeTransferGraph, rng: np.random.Generator) -> Training:
        """The truth with noise at the end; before it lower by what is left to learn, off by half a function's sd at
        most, and noisier."""
        k = graph.k
        hours = float(np.exp(rng.normal(0.0, HOURS_SPREAD)))
        diverged = bool(rng.random() < self.noise.diverging)
        spread = self.noise.ratio * SD
        end = self.means(graph) + spread * self._errors(rng, k)
        ahead = (self._early(digits([graph], self.gates))[0] - self._early_shift) / self._early_scale
        left = 1.0 - np.array(MOMENTS)[:, None]  # [M, 1]
        scores = end - 4 * SD * left + left * SD * np.clip(ahead, -2, 2) / 2
        scores = scores + left * spread * rng.normal(size=(len(MOMENTS), k))
        if diverged:
            scores[-1] = FLOOR
        return Training(np.maximum(scores, FLOOR), hours, diverged)

    def _errors(self, rng: np.random.Generator, k: int) -> NDArray[np.float64]:
        """[k], each of variance 1; a share of the variance is common to all."""
        shared = self._family.shared
        common, own = self._draws(rng, 1), self._draws(rng, k)
        errors: NDArray[np.float64] = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
        return errors

    def _draws(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        if not self.noise.heavy:
            return rng.normal(size=n)
        return rng.standard_t(DEGREES, size=n) / float(np.sqrt(DEGREES / (DEGREES - 2)))


def student(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cumulative distribution of the heavy tails: Student's t brought to variance 1."""
    return np.asarray(stdtr(DEGREES, x * np.sqrt(DEGREES / (DEGREES - 2))))


def synthetic(name: str, roster: Roster, gates: tuple[Gate, ...], noise: Noise, seed: int) -> Synthetic:
    """The function of the family `name` that `seed` draws. UnknownMember lists the families."""
    return Synthetic(FAMILIES.get(name), roster, gates, noise, seed)
