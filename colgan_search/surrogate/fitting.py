"""The hyperparameters of the process: how much each class of edges matters, and how large the noise is."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel

from colgan_search.surrogate.kernel import TrainingNoise, ViewKernel, rows
from colgan_search.surrogate.likelihood import Likelihood
from colgan_search.surrogate.look import Floats
from colgan_search.surrogate.looks import LOOKS, look_of, names_of
from colgan_search.surrogate.views import Codes, Space

MOST_VIEWS = 330
"""Views of so many trainings tell the hyperparameters; the time grows with their third power."""
MOST_STEPS = 25
JITTER = 1e-6
LEVEL = 1.0
"""Variance of the level that all graphs share, in that of the scores."""
NOISE_BELIEFS = {"own": (np.log(0.3), 1.5), "shared": (np.log(0.02), 0.7)}
"""Logarithm and its deviation of what is thought before there is data: few trainings alone say too little. Those of
the parts are their looks'.

Little shared noise: without replicates it cannot be told from a function that all generators of a graph share.
"""


@dataclass(frozen=True)
class Part:
    """One of the functions whose sum the scores are: of what one look sees."""

    look: str
    scale: float
    """Its variance."""
    decay: tuple[float, ...]
    """[C], as of `Look.decays`."""


@dataclass(frozen=True)
class Hyper:
    """In units of the scores' variance."""

    parts: tuple[Part, ...]
    own: float
    shared: float

    def kernel(self, space: Space) -> Kernel:
        """The parts, the noise of trainings, and the level."""
        kernel = TrainingNoise(self.own, self.shared)
        for part in self.parts:
            kernel = kernel + ConstantKernel(part.scale, (1e-3, 50.0)) * ViewKernel(
                space, part.look, np.array(part.decay)
            )
        return kernel + ConstantKernel(LEVEL, "fixed")

    def at(self, theta: Floats) -> "Hyper":
        """The hyperparameters whose logarithms are `theta`, in the order of `kernel`."""
        values = [float(value) for value in np.exp(theta)]
        own, shared, *rest = values
        parts = []
        for part in self.parts:
            scale, *rest = rest
            parts.append(Part(part.look, scale, tuple(rest[: len(part.decay)])))
            rest = rest[len(part.decay) :]
        return Hyper(tuple(parts), own, shared)

    @property
    def variance(self) -> float:
        """Of a score without noise, before there is data."""
        return LEVEL + sum(part.scale for part in self.parts)


def usual(space: Space) -> Hyper:
    """Before there is data."""
    own, shared = (float(np.exp(centre)) for centre, _ in NOISE_BELIEFS.values())
    parts = []
    for name in names_of(space):
        look = look_of(space, name)
        scale, decay = (float(np.exp(centre)) for centre, _ in (look.scale_belief, look.decay_belief))
        parts.append(Part(name, scale, (decay,) * look.decays))
    return Hyper(tuple(parts), own, shared)


def estimate(space: Space, codes: Codes, scores: Floats, seed: int) -> Hyper:
    """The most probable hyperparameters after graphs [N, E] scored [N, k] with mean 0 and variance 1.

    Of many trainings some are drawn by `seed`.
    """
    most = max(MOST_VIEWS // space.roster.generators, 1)
    if len(codes) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(codes), most, replace=False))
        codes, scores = codes[chosen], scores[chosen]
    start = usual(space)
    likelihood = Likelihood(space, names_of(space), codes, scores.reshape(-1), LEVEL)
    beliefs = list(NOISE_BELIEFS.values())
    for part in start.parts:
        look = LOOKS[part.look]
        beliefs += [look.scale_belief, *[look.decay_belief] * len(part.decay)]
    centre, width = np.array(beliefs).T

    def improbable(theta: Floats) -> tuple[float, Floats]:
        value, slope = likelihood(theta, JITTER)
        away = (theta - centre) / width
        return float(value + 0.5 * away @ away), slope + away / width

    theta, bounds = start.kernel(space).theta, start.kernel(space).bounds
    options = {"maxiter": MOST_STEPS, "ftol": 1e-5}
    return start.at(minimize(improbable, theta, method="L-BFGS-B", jac=True, bounds=bounds, options=options).x)


def settled(trainings: int) -> int:
    """So many of the first trainings give the hyperparameters: they change at 20, 40, ... 100, 125, 156, ... only."""
    if trainings < 100:
        return max(trainings - trainings % 20, min(trainings, 10))
    number = 100
    while number * 5 // 4 <= trainings:
        number = number * 5 // 4
    return number


@lru_cache(maxsize=64)
def estimated(space: Space, codes: bytes, scores: bytes) -> Hyper:
    """As `estimate` with seed 0, remembered in this process."""
    edges, k = len(space.roster.edges), space.roster.generators
    graphs = np.frombuffer(codes, dtype=np.int8).reshape(-1, edges)
    return estimate(space, graphs, np.frombuffer(scores).reshape(-1, k), 0)


def data(space: Space, codes: Codes, times: NDArray[np.int64]) -> Floats:
    """[N * k, E + 2]: the rows of graphs [N, E] and their numbers of trainings [N]; generator by generator of each."""
    k = space.roster.generators
    views = space.views(codes).reshape(len(codes) * k, -1)
    return rows(views, np.repeat(np.arange(len(codes)), k), np.repeat(times, k))
