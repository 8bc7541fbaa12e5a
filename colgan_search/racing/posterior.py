"""What a few noisy runs say of several graphs: normal means with one common noise and partial shrinkage.

The model is that of Gelman's eight schools with the noise unknown: run j of graph i is y_ij ~ N(mu_i, sigma^2), the
graphs are mu_i ~ N(m, tau^2); m is flat, sigma^2 has Jeffreys' prior, tau is half-Cauchy with the scale of the noise
(Gelman 2006). The noise is judged by the spread within graphs alone. How much the graphs' means are drawn towards each
other thus follows from how much they differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DRAWS = 4_000
"""An error of 0.0035 in a probability of 0.95."""
TAUS = np.concatenate([[0.0], np.geomspace(0.02, 30.0, 40)])
"""The grid of tau, in units of the noise."""
FENCE = 3.0
"""Interquartile ranges below the first quartile beyond which a run is an accident (Tukey's outer fence)."""


@dataclass(frozen=True)
class Posterior:
    """Joint draws [draws, M] of the M graphs' true values; larger is better."""

    draws: NDArray[np.float64]

    @property
    def mean(self) -> Array:
        """[M]"""
        return np.asarray(self.draws.mean(axis=0))

    @property
    def sd(self) -> Array:
        """[M]"""
        return np.asarray(self.draws.std(axis=0))

    @property
    def leader(self) -> int:
        """The graph with the largest posterior mean."""
        return int(np.argmax(self.mean))

    @property
    def best_probabilities(self) -> Array:
        """[M]: how often each is the best of all."""
        return np.bincount(self.draws.argmax(axis=1), minlength=self.draws.shape[1]) / len(self.draws)


def fenced(values: Sequence[Sequence[float]]) -> list[list[float]]:
    """The runs of every graph, accidents (a training that diverged) raised to the outer fence of all runs together.

    One of them would else be taken for the noise of all, and nothing could be told apart any more.
    """
    low, high = np.quantile(np.concatenate([np.asarray(one, dtype=float) for one in values]), [0.25, 0.75])
    return [np.maximum(one, low - FENCE * (high - low)).tolist() for one in values]


def pooled_sd(values: Sequence[Sequence[float]]) -> tuple[float, int]:
    """The common standard deviation of runs of one graph, and its degrees of freedom; (nan, 0) without replicates."""
    several = [np.asarray(one, dtype=float) for one in values if len(one) > 1]
    freedom = sum(len(one) - 1 for one in several)
    if freedom == 0:
        return float("nan"), 0
    return float(np.sqrt(sum(((one - one.mean()) ** 2).sum() for one in several) / freedom)), freedom


def posterior(values: Sequence[Sequence[float]], rng: np.random.Generator, draws: int = DRAWS) -> Posterior:
    """The belief after these runs: one list per graph, none empty, at least two runs of one of them.

    ValueError otherwise.
    """
    if not values or min(map(len, values)) < 1:
        raise ValueError("every graph needs a run")
    kept = fenced(values)
    noise, freedom = pooled_sd(kept)
    if freedom == 0:
        raise ValueError("no graph has two runs: nothing is known of the noise")
    means, counts = np.array([np.mean(one) for one in kept]), np.array([len(one) for one in kept])
    noise = max(noise, 1e-9 * max(1.0, float(np.abs(means).max())))  # runs that are all alike
    sigma = noise * np.sqrt(freedom / rng.chisquare(freedom, draws))  # [draws]
    error = sigma[:, None] ** 2 / counts  # [draws, M]: the variance of each mean
    tau = _tau(means, error, sigma, noise, rng)  # [draws]
    total = error + tau[:, None] ** 2
    centre, spread = _centre(means, total)
    middle = centre + spread * rng.standard_normal(draws)
    shrunk = error / total  # how far each mean is drawn to the middle
    mu = means * (1 - shrunk) + middle[:, None] * shrunk
    return Posterior(mu + np.sqrt(error * (1 - shrunk)) * rng.standard_normal(mu.shape))


def _centre(means: Array, total: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of m given tau, over the last axis of `total` [..., M]."""
    precision = (1 / total).sum(axis=-1)
    return (means / total).sum(axis=-1) / precision, precision**-0.5


def _tau(means: Array, error: Array, sigma: Array, noise: float, rng: np.random.Generator) -> Array:
    """One draw of tau for each draw of the noise, from its marginal posterior on the grid."""
    grid = noise * TAUS
    total = error[:, None, :] + (grid**2)[None, :, None]  # [draws, T, M]
    centre, spread = _centre(means, total)
    log = np.log(spread) - 0.5 * np.log(total).sum(-1) - 0.5 * ((means - centre[..., None]) ** 2 / total).sum(-1)
    # Half-Cauchy with the scale of this draw's noise, times the width of the grid's cell.
    log += np.log(np.gradient(grid)) - np.log1p((grid / sigma[:, None]) ** 2)
    chosen = (log + rng.gumbel(size=log.shape)).argmax(axis=1)
    return np.asarray(grid[chosen])
