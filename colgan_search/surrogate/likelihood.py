"""How probable scores are under hyperparameters, and its slope.

scikit-learn's is the same; it makes a matrix of the slope for each of some 35 numbers, of which only the sums are used.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dpotri

from colgan_search.surrogate.look import Floats
from colgan_search.surrogate.looks import look_of
from colgan_search.surrogate.views import Codes, Space


@dataclass(frozen=True)
class _Seen:
    """What one look sees of the data."""

    differences: NDArray[np.float32]
    """[S, C, n, n]: of the views that look different, n of N."""
    which: NDArray[np.int64] | None
    """[N]: which of these each view is; None: each its own."""

    def covariance(self, decay: Floats) -> tuple[Floats, NDArray[np.float32], Floats]:
        """[n, n] scaled to variance 1; the parts [S, n, n] whose sum it is before; and their diagonal [n]."""
        parts = np.exp(-np.tensordot(decay.astype(np.float32), self.differences, ([0], [1])))
        raw = parts.sum(axis=0, dtype=np.float64)
        own = np.diag(raw).copy()
        return raw / np.sqrt(np.outer(own, own)), parts, own


class Likelihood:
    """Of targets [N] at views of n trainings with k views each, as functions of the logarithms of hyperparameters:
    `own` and `shared` noise, then of each look its scale and its decays."""

    def __init__(self, space: Space, names: tuple[str, ...], codes: Codes, targets: Floats, level: float) -> None:
        """`codes` [n, E]; `targets` [n * k], training by training; `level` = the variance of what all share."""
        k = space.roster.generators
        views = space.views(codes).reshape(len(codes) * k, -1)
        self.targets, self.level = targets, level
        self.training = np.repeat(np.arange(len(codes)), k)
        self.seen = []
        for name in names:
            look = look_of(space, name)
            which = None if look.rooted else self.training
            self.seen.append(_Seen(look.differences(views if look.rooted else views[::k]), which))
        self.together = (self.training[:, None] == self.training[None]).astype(np.float64)

    def __call__(self, theta: Floats, jitter: float) -> tuple[float, Floats]:
        """Minus the logarithm of the density of the targets, and its slope; (inf, 0) where it cannot be computed."""
        own, shared, *rest = np.exp(theta)
        values, at = np.array(rest), 0
        found = []
        total = np.full(self.together.shape, self.level) + shared * self.together
        total[np.diag_indices_from(total)] += own + jitter
        for seen in self.seen:
            scale, decay = values[at], values[at + 1 : at + 1 + seen.differences.shape[1]]
            at += 1 + len(decay)
            kernel, parts, diagonal = seen.covariance(decay)
            total += scale * _spread(kernel, seen.which)
            found.append((scale, decay, kernel, parts, diagonal))
        try:
            root = cholesky(total, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return np.inf, np.zeros(len(theta))
        weights = cho_solve((root, True), self.targets, check_finite=False)
        value = 0.5 * self.targets @ weights + np.log(np.diag(root)).sum() + 0.5 * len(weights) * np.log(2 * np.pi)
        inverse = np.tril(dpotri(root, lower=1)[0])
        inverse += np.tril(inverse, -1).T
        by_total = 0.5 * (inverse - np.outer(weights, weights))  # the slope by each covariance
        slope = [own * np.trace(by_total), shared * (by_total * self.together).sum()]
        for seen, (scale, decay, kernel, parts, diagonal) in zip(self.seen, found, strict=True):
            by_kernel = scale * _gathered(by_total, seen.which)
            slope.append((by_kernel * kernel).sum())
            # The scaling to variance 1 has a slope as well: by the diagonal before it.
            by_raw = by_kernel / np.sqrt(np.outer(diagonal, diagonal))
            by_raw[np.diag_indices_from(by_raw)] -= (by_kernel * kernel).sum(axis=1) / diagonal
            by_parts = (by_raw.astype(np.float32) * parts).reshape(len(parts), 1, -1)
            of_decay = (seen.differences.reshape(len(parts), len(decay), -1) @ by_parts.swapaxes(1, 2)).sum(axis=(0, 2))
            slope += list(-decay * of_decay)
        return float(value), np.array(slope)


def _spread(kernel: Floats, which: NDArray[np.int64] | None) -> Floats:
    return kernel if which is None else kernel[which][:, which]


def _gathered(slope: Floats, which: NDArray[np.int64] | None) -> Floats:
    """The slope by a kernel [n, n] from that by the covariances [N, N] that it stands for."""
    if which is None:
        return slope
    n = which[-1] + 1
    k = len(which) // n
    return np.asarray(slope.reshape(n, k, n, k).sum(axis=(1, 3)))
