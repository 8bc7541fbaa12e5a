"""The covariance of two views, and of the noise of one training, as kernels for scikit-learn's Gaussian process.

A row of the process's data is a view's codes [E], then the number of its training, then how many trainings its score
is the mean of. Two views are alike by the product over their edges of rho_c for each edge on which they differ, and of
another factor where one of the two is cut off there, c being the edge's class (what it is to the root); averaged over
the relabellings that keep the root; scaled, so that every view has the same variance.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.gaussian_process.kernels import Hyperparameter, Kernel

from colgan_search.gates import CUTOFF
from colgan_search.surrogate.views import Codes, Space

Floats = NDArray[np.float64]


def rows(views: Codes, training: NDArray[np.int64], times: NDArray[np.int64]) -> Floats:
    """[N, E + 2] from views [N, E], each with its training and its number of trainings [N]."""
    return np.column_stack([views, training, times]).astype(np.float64)


@dataclass(frozen=True)
class Look:
    """Which relabellings a kernel averages over, and which edges it takes for alike. Make it with `of`."""

    space: Space
    whole: bool

    @staticmethod
    @lru_cache(maxsize=16)
    def of(space: Space, whole: bool) -> "Look":
        """The one of this space."""
        return Look(space, whole)

    @property
    def gates(self) -> int:
        """How many."""
        return len(self.space.gates)

    @property
    def moves(self) -> NDArray[np.int64]:
        """[S, E]."""
        return self.space.relabellings[0] if self.whole else self.space.symmetries

    @property
    def classes(self) -> NDArray[np.int64]:
        """[E]."""
        return self.space.kinds if self.whole else self.space.classes

    @property
    def contrasts(self) -> Floats:
        """[T, G, G] of 0 and 1: where two gates differ; and where one of them is cutoff, if others differ as well."""
        differ = 1.0 - np.eye(self.gates)
        cut = np.array([gate is CUTOFF for gate in self.space.gates])
        apart = cut[:, None] != cut[None]
        return np.array([differ, apart] if 0 < cut.sum() < self.gates - 1 else [differ])

    @property
    def decays(self) -> int:
        """C * T: how many numbers `decay` is; class by class of edges, each with all contrasts."""
        return (int(self.classes.max()) + 1) * len(self.contrasts)

    def apart(self, decay: Floats) -> Floats:
        """[E, G, G]: -log of what each pair of gates multiplies the covariance by, on each edge."""
        of_class = np.tensordot(np.asarray(decay).reshape(-1, len(self.contrasts)), self.contrasts, 1)
        return np.asarray(of_class[self.classes])


class ViewKernel(Kernel):  # type: ignore[misc]
    """`decay` [C * T]: -log of a factor for each class of edges and contrast. `whole` = whoever is the root."""

    def __init__(self, space: Space, whole: bool, decay: Any, decay_bounds: tuple[float, float] = (5e-3, 5.0)) -> None:
        self.space, self.whole, self.decay, self.decay_bounds = space, whole, decay, decay_bounds

    @property
    def hyperparameter_decay(self) -> Hyperparameter:
        """What scikit-learn fits, on a logarithmic scale."""
        return Hyperparameter("decay", "numeric", self.decay_bounds, len(self._decays))

    @property
    def _decays(self) -> Floats:
        return np.atleast_1d(self.decay)  # scikit-learn sets a number for one class

    def __call__(self, X: Floats, Y: Floats | None = None, eval_gradient: bool = False) -> Any:
        """[N, M], with its gradient [N, M, C * T] by log(decay)."""
        edges = len(self.space.classes)
        a = X[:, :edges].astype(np.int8)
        b = a if Y is None else Y[:, :edges].astype(np.int8)
        if eval_gradient:
            return self._with_gradient(a)
        return covariance(Look.of(self.space, self.whole), self._decays, a, b)

    def _with_gradient(self, a: Codes) -> tuple[Floats, Floats]:
        raw, slope = np.zeros((len(a), len(a))), np.zeros((len(a), len(a), len(self._decays)))
        for counts in self._counts(a):  # [C * T, N, N]
            part = np.exp(-np.tensordot(self._decays, counts, 1))
            raw += part
            for c, count in enumerate(counts):
                slope[:, :, c] -= part * count * self._decays[c]
        own = np.diag(raw).copy()
        scale = 1.0 / np.sqrt(np.outer(own, own))
        kernel = raw * scale
        own_slope = np.einsum("iic->ic", slope) / own[:, None]
        return kernel, slope * scale[:, :, None] - 0.5 * kernel[:, :, None] * (own_slope[:, None] + own_slope[None])

    def _counts(self, a: Codes) -> NDArray[np.float32]:
        """[S, C * T, N, N]: the differing edges of each class; the same for every value of `decay`."""
        return differences(Look.of(self.space, self.whole), a.tobytes())

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


def one_hot(codes: Codes, gates: int) -> NDArray[np.float32]:
    """[N, E * gates]."""
    hot: NDArray[np.float32] = (codes[:, :, None] == np.arange(gates, dtype=np.int8)).astype(np.float32)
    return hot.reshape(len(codes), -1)


@lru_cache(maxsize=4)
def differences(look: Look, codes: bytes) -> NDArray[np.float32]:
    """[S, C * T, N, N]: on how many edges of each class views [N, E] differ, by each contrast, from relabelled ones."""
    a = np.frombuffer(codes, dtype=np.int8).reshape(-1, len(look.classes))
    contrasts = look.contrasts.astype(np.float32)
    found = [
        contrast[a[:, edges]].reshape(len(a), -1) @ one_hot(a[:, move][:, edges], look.gates).T
        for move in look.moves
        for edges in (look.classes == c for c in range(look.classes.max() + 1))
        for contrast in contrasts
    ]
    return np.array(found, dtype=np.float32).reshape(len(look.moves), -1, len(a), len(a))


def raw_covariance(look: Look, decay: Floats, a: Codes, b: Codes) -> NDArray[np.float32]:
    """[N, M], before it is scaled."""
    apart = look.apart(decay).astype(np.float32)
    left = -apart[np.arange(len(apart)), a].reshape(len(a), -1)
    total = np.zeros((len(a), len(b)), dtype=np.float32)
    for move in look.moves:
        part = left @ one_hot(b[:, move], look.gates).T
        total += np.exp(part, out=part)
    return total


def own_covariance(look: Look, decay: Floats, a: Codes) -> Floats:
    """[N]: the diagonal of `raw_covariance(a, a)`."""
    apart = look.apart(decay)
    edges = np.arange(len(apart))
    return np.asarray(sum(np.exp(-apart[edges, a, a[:, move]].sum(axis=1)) for move in look.moves))


def covariance(look: Look, decay: Floats, a: Codes, b: Codes) -> Floats:
    """[N, M]: the kernel."""
    scale = np.sqrt(own_covariance(look, decay, a))[:, None] * np.sqrt(own_covariance(look, decay, b))[None]
    return np.asarray(raw_covariance(look, decay, a, b) / scale)
