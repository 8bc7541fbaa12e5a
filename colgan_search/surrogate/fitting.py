"""The hyperparameters of the process: how much each class of edges matters, and how large the noise is."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel

from colgan_search.surrogate.kernel import Floats, TrainingNoise, ViewKernel, rows
from colgan_search.surrogate.views import Codes, Space

MOST_VIEWS = 330
"""Views of so many trainings tell the hyperparameters; the time grows with their third power."""
MOST_STEPS = 25
JITTER = 1e-6
LEVEL = 1.0
"""Variance of the level that all graphs share, in that of the scores."""
BELIEFS = {"decay": (np.log(0.3), 1.0), "scale": (0.0, 1.0), "own": (np.log(0.3), 1.5), "shared": (np.log(0.05), 1.5)}
"""Logarithm and its deviation of what is thought before there is data: few trainings alone say too little."""


@dataclass(frozen=True)
class Hyper:
    """In units of the scores' variance. `decay` [C] is -log(rho) of each class of edges."""

    decay: tuple[float, ...]
    scale: float
    own: float
    shared: float

    def kernel(self, space: Space) -> Kernel:
        """The level, the graphs, and the noise of trainings."""
        return (
            ConstantKernel(LEVEL, "fixed")
            + ConstantKernel(self.scale, (0.02, 50.0)) * ViewKernel(space, np.array(self.decay))
            + TrainingNoise(self.own, self.shared)
        )


def usual(space: Space) -> Hyper:
    """Before there is data."""
    decay = tuple([float(np.exp(BELIEFS["decay"][0]))] * (int(space.classes.max()) + 1))
    return Hyper(decay, *(float(np.exp(BELIEFS[name][0])) for name in ("scale", "own", "shared")))


def estimate(space: Space, codes: Codes, scores: Floats, seed: int) -> Hyper:
    """The most probable hyperparameters after graphs [N, E] scored [N, k] with mean 0 and variance 1.

    Of many trainings some are drawn by `seed`.
    """
    most = max(MOST_VIEWS // space.roster.generators, 1)
    if len(codes) > most:
        chosen = np.sort(np.random.default_rng(seed).choice(len(codes), most, replace=False))
        codes, scores = codes[chosen], scores[chosen]
    start = usual(space).kernel(space)
    process = GaussianProcessRegressor(start, alpha=JITTER, optimizer=_most_probable)
    process.fit(data(space, codes, np.ones(len(codes), dtype=np.int64)), scores.reshape(-1))
    (_, graphs), noise = (process.kernel_.k1.k1, process.kernel_.k1.k2), process.kernel_.k2
    return Hyper(
        tuple(float(decay) for decay in np.atleast_1d(graphs.k2.decay)),
        float(graphs.k1.constant_value),
        float(noise.own),
        float(noise.shared),
    )


def settled(trainings: int) -> int:
    """So many of the first trainings give the hyperparameters: they change at 20, 40, ... 100, 125, 156, ... only."""
    if trainings < 100:
        return max(trainings - trainings % 20, min(trainings, 10))
    number = 100
    while number * 5 // 4 <= trainings:
        number = number * 5 // 4
    return number


@lru_cache(maxsize=64)
def estimated(space: Space, codes: bytes, scores: bytes, seed: int) -> Hyper:
    """As `estimate`, remembered in this process."""
    edges, k = len(space.roster.edges), space.roster.generators
    graphs = np.frombuffer(codes, dtype=np.int8).reshape(-1, edges)
    return estimate(space, graphs, np.frombuffer(scores).reshape(-1, k), seed)


def data(space: Space, codes: Codes, times: NDArray[np.int64]) -> Floats:
    """[N * k, E + 2]: the rows of graphs [N, E] and their numbers of trainings [N]; generator by generator of each."""
    k = space.roster.generators
    views = space.views(codes).reshape(len(codes) * k, -1)
    return rows(views, np.repeat(np.arange(len(codes)), k), np.repeat(times, k))


def _most_probable(negative: Any, theta: Floats, bounds: Floats) -> tuple[Floats, float]:
    """The optimizer that scikit-learn calls: its likelihood with what is thought beforehand."""
    names = ["scale", *["decay"] * (len(theta) - 3), "own", "shared"]
    centre, width = (np.array([BELIEFS[name][part] for name in names]) for part in (0, 1))

    def objective(at: Floats) -> tuple[float, Floats]:
        value, slope = negative(at, eval_gradient=True)
        away = (at - centre) / width
        return float(value + 0.5 * away @ away), slope + away / width

    found = minimize(
        objective, theta, method="L-BFGS-B", jac=True, bounds=bounds, options={"maxiter": MOST_STEPS, "ftol": 1e-5}
    )
    return found.x, found.fun
