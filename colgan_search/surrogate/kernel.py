"""The covariance of views by a look, and of the noise of one training, as kernels for scikit-learn's Gaussian process.

A row of the process's data is a view's codes [E], then the number of its training, then how many trainings its score
is the mean of.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from colgan_search.surrogate.look import Floats, Look
from colgan_search.surrogate.looks import look_of
from colgan_search.surrogate.views import Codes, Space


def rows(views: Codes, training: NDArray[np.int64], times: NDArray[np.int64]) -> Floats:
    """[N, E + 2] from views [N, E], each with its training and its number of trainings [N]."""
    return np.column_stack([views, training, times]).astype(np.float64)


class ViewKernel(Kernel):  # type: ignore[misc]
    """Of the look `name`, with its numbers `decay` [C]. Rows of one training are views of one graph."""

    def __init__(self, space: Space, name: str, decay: Any, decay_bounds: tuple[float, float] = (5e-3, 5.0)) -> None:
        self.space, self.name, self.decay, self.decay_bounds = space, name, decay, decay_bounds

    @property
    def hyperparameter_decay(self) -> Hyperparameter:
        """On a logarithmic scale."""
        return Hyperparameter("decay", "numeric", self.decay_bounds, len(self._decays))

    @property
    def _decays(self) -> Floats:
        return np.atleast_1d(self.decay)  # scikit-learn sets a number for one class

    @property
    def _look(self) -> Look:
        return look_of(self.space, self.name)

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """[N, M], with its gradient [N, M, C] by log(decay)."""
        first, which = self._seen(X)
        a = self._codes(X)[first]
        if eval_gradient:
            value, slope = self._with_gradient(a)
            return (value, slope) if self._look.rooted else (value[which][:, which], slope[which][:, which])
        if Y is None:
            value = self._look.covariance(self._decays, a, a)
            return value if self._look.rooted else value[which][:, which]
        return self._look.covariance(self._decays, self._codes(X), self._codes(Y))

    def _codes(self, X: Floats) -> Codes:
        return X[:, : len(self.space.classes)].astype(np.int8)

    def _seen(self, X: Floats) -> tuple[Any, Any]:
        """The rows that have to be looked at, and which of these each row is: where views of a graph look the same,
        one of each training."""
        if self._look.rooted:
            return slice(None), slice(None)
        _, first, which = np.unique(X[:, -2], return_index=True, return_inverse=True)
        return first, which

    def _with_gradient(self, a: Codes) -> tuple[Floats, Floats]:
        raw, slope = np.zeros((len(a), len(a))), np.zeros((len(a), len(a), len(self._decays)))
        for counts in self._look.differences(a):  # [C, N, N]
            part = np.exp(-np.tensordot(self._decays, counts, 1))
            raw += part
            for c, count in enumerate(counts):
                slope[:, :, c] -= part * count * self._decays[c]
        own = np.diag(raw).copy()
        scale = 1.0 / np.sqrt(np.outer(own, own))
        kernel = raw * scale
        own_slope = np.einsum("iic->ic", slope) / own[:, None]
        return kernel, slope * scale[:, :, None] - 0.5 * kernel[:, :, None] * (own_slope[:, None] + own_slope[None])

    def diag(self, X: Floats) -> Floats:
        """[N]: 1."""
        return np.ones(len(X))

    def is_stationary(self) -> bool:
        """Not in scikit-learn's sense: the rows are no vectors."""
        return False


class TrainingNoise(Kernel):  # type: ignore[misc]
    """`own`: the variance of each score of a training by itself; `shared`: of what all scores of a training share."""

    def __init__(
        self,
        own: float,
        shared: float,
        own_bounds: tuple[float, float] = (1e-4, 10.0),
        shared_bounds: tuple[float, float] = (1e-4, 10.0),
    ) -> None:
        self.own, self.shared, self.own_bounds, self.shared_bounds = own, shared, own_bounds, shared_bounds

    @property
    def hyperparameter_own(self) -> Hyperparameter:
        """Fitted on a logarithmic scale."""
        return Hyperparameter("own", "numeric", self.own_bounds)

    @property
    def hyperparameter_shared(self) -> Hyperparameter:
        """Fitted on a logarithmic scale."""
        return Hyperparameter("shared", "numeric", self.shared_bounds)

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """[N, N] among the data; nothing between the data and views that were not measured."""
        if Y is not None:
            return np.zeros((len(X), len(Y)))
        training, times = X[:, -2], X[:, -1]
        own = np.diag(self.own / times)
        shared = self.shared * (training[:, None] == training[None]) / times
        return (own + shared, np.dstack([own, shared])) if eval_gradient else own + shared

    def diag(self, X: Floats) -> Floats:
        """[N]."""
        return np.asarray((self.own + self.shared) / X[:, -1])

    def is_stationary(self) -> bool:
        """Not in scikit-learn's sense."""
        return False
