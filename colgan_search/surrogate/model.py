"""What graphs' generators are believed to score, after the trainings that there are."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular

from colgan_search.gates import PAPER_GATES, Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.surrogate.fitting import JITTER, LEVEL, Hyper, Part, data, estimate
from colgan_search.surrogate.look import Floats, OnGrid
from colgan_search.surrogate.looks import look_of
from colgan_search.surrogate.maximum import expected_maximum
from colgan_search.surrogate.scale import standardised
from colgan_search.surrogate.views import Codes, Space, space_of

AT_ONCE = 4096
"""Views whose covariances with all data are in memory together."""
MOST_JOINT = 6000
"""Views that are drawn together outside of listed spaces."""


@dataclass(frozen=True)
class Belief:
    """Mean and standard deviation of what is believed, in the scores' units."""

    mean: Floats
    sd: Floats


@dataclass(frozen=True)
class GraphModel:
    """A Gaussian process over graphs as each of their generators sees them; see `looks`. Larger scores are better."""

    space: Space
    hyper: Hyper
    centre: float
    spread: float
    rows: Floats
    """[N, E + 2], as `kernel.rows` makes them; trainings of one graph are one."""
    targets: Floats
    """[n]: scores, standardised, of the first n rows; those of the others are believed to be what is expected."""

    @classmethod
    def fit(
        cls,
        graphs: Sequence[KnowledgeTransferGraph],
        scores: ArrayLike,
        *,
        gates: Sequence[Gate] = PAPER_GATES,
        seed: int = 0,
        hyper: Hyper | None = None,
    ) -> "GraphModel":
        """From graphs [N] of one roster, one for each training, and their generators' scores [N, k], larger is better.

        Trainings of one graph, under any labels, may be several. Scores far below the others are raised to a floor
        (`scale.floored`). `hyper` = known already. ValueError for no graphs, another shape, or scores that are not
        finite; GraphError for gates that are not among `gates` or different rosters.
        """
        table = np.asarray(scores, dtype=np.float64)
        if not len(graphs) or table.shape != (len(graphs), graphs[0].k) or not np.isfinite(table).all():
            raise ValueError(f"scores has the shape {table.shape}; {len(graphs)} graphs need [N, k] finite numbers")
        space = space_of(graphs[0].roster, tuple(gates))
        return cls.of_codes(space, space.encode(graphs), table, seed=seed, hyper=hyper)

    @classmethod
    def of_codes(
        cls,
        space: Space,
        codes: Codes,
        scores: Floats,
        *,
        seed: int = 0,
        hyper: Hyper | None = None,
        most: int | None = None,
    ) -> "GraphModel":
        """As `fit`, from codes [N, E]. Of more than `most` graphs it takes the best half and draws the others."""
        codes, order = space.canonical(codes)
        table, centre, spread = standardised(np.take_along_axis(scores, order, axis=1))
        if hyper is None:
            hyper = estimate(space, codes, table, seed)
        _, first, which, times = np.unique(
            space.places(codes), return_index=True, return_inverse=True, return_counts=True
        )
        means = np.zeros((len(first), table.shape[1]))
        np.add.at(means, which, table)
        means /= times[:, None]
        kept = _kept(means.max(axis=1), most, seed)
        return cls(space, hyper, centre, spread, data(space, codes[first[kept]], times[kept]), means[kept].reshape(-1))

    @cached_property
    def _root(self) -> Floats:
        """[N, N]: the lower Cholesky factor of the covariances of the data."""
        covariances = self.hyper.kernel(self.space)(self.rows)
        diagonal = np.diag(covariances).copy()
        for more in (1.0, 1e2, 1e4):  # the looks compute in float32: with hardly any noise that may be too rough
            covariances[np.diag_indices_from(covariances)] = diagonal + JITTER * more
            with suppress(np.linalg.LinAlgError):
                return np.asarray(cholesky(covariances, lower=True, check_finite=False))
        raise FloatingPointError("the covariances of the trainings are not positive definite")

    @cached_property
    def _weights(self) -> Floats:
        """[N]: what the covariances with the data are times, in a mean. What is believed changes none: weight 0."""
        n = len(self.targets)
        weights = np.zeros(len(self.rows))
        weights[:n] = cho_solve((self._root[:n, :n], True), self.targets, check_finite=False)
        return weights

    @cached_property
    def _all_targets(self) -> Floats:
        """[N]."""
        believed = self._views[len(self.targets) :]
        return (
            np.concatenate([self.targets, self._with_data(believed) @ self._weights]) if len(believed) else self.targets
        )

    @cached_property
    def _views(self) -> Codes:
        return self.rows[:, : len(self.space.classes)].astype(np.int8)

    @property
    def noise(self) -> float:
        """Standard deviation of one score of one training around its graph's own, in the scores' units."""
        return float(np.sqrt(self.hyper.own + self.hyper.shared) * self.spread)

    def believing(self, codes: Codes) -> "GraphModel":
        """As if graphs [N, E] that are still being trained had scored what is believed of them now."""
        if not len(codes):
            return self
        more = data(self.space, self.space.canonical(codes)[0], np.ones(len(codes), dtype=np.int64))
        more[:, -2] += self.rows[:, -2].max() + 1
        return replace(self, rows=np.vstack([self.rows, more]))

    def predict(self, graphs: Sequence[KnowledgeTransferGraph]) -> Belief:
        """Of each generator's score, without noise: [M, k]."""
        return self.predict_codes(self.space.encode(graphs))

    def predict_codes(self, codes: Codes) -> Belief:
        """As `predict`, from codes [M, E]."""
        k = self.space.roster.generators
        mean, sd = self.predict_views(self.space.views(codes).reshape(len(codes) * k, -1))
        return Belief(mean.reshape(-1, k), sd.reshape(-1, k))

    def predict_views(self, views: Codes) -> tuple[Floats, Floats]:
        """Mean and deviation [V] of views [V, E]."""
        mean, sd = np.empty(len(views)), np.empty(len(views))
        for start in range(0, len(views), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            with_data = self._with_data(views[part])
            mean[part] = with_data @ self._weights
            solved = solve_triangular(self._root, with_data.T, lower=True, check_finite=False)
            sd[part] = np.sqrt(np.maximum(self.hyper.variance - np.einsum("nv,nv->v", solved, solved), 1e-12))
        return mean * self.spread + self.centre, sd * self.spread

    def values(self, codes: Codes) -> Floats:
        """[N]: what graphs [N, E] are believed to be worth: the mean value of a training (see `expected_maximum`)."""
        return self.values_of(self.predict_codes(codes))

    def values_of(self, belief: Belief) -> Floats:
        """As `values`, from what is believed of the graphs' generators."""
        return expected_maximum(belief.mean, self.hyper.own**0.5 * self.spread)

    def best(self, graphs: Sequence[KnowledgeTransferGraph]) -> Belief:
        """[M]: of each graph's generator that is believed best."""
        return self.best_of(self.predict(graphs))

    def best_of(self, belief: Belief) -> Belief:
        """As `best`, from what is believed of the graphs' generators."""
        at = np.arange(len(belief.mean)), belief.mean.argmax(axis=1)
        return Belief(belief.mean[at], belief.sd[at])

    def draws(self, graphs: Sequence[KnowledgeTransferGraph], n: int, seed: int) -> Floats:
        """[n, M]: what the graphs' values (best generators' scores) may be, drawn together. Errors as `score_draws`."""
        return np.asarray(self.score_draws(graphs, n, seed).max(axis=2))

    def score_draws(self, graphs: Sequence[KnowledgeTransferGraph], n: int, seed: int) -> Floats:
        """[n, M, k]: what each generator's score may be, drawn together.

        ValueError for more than 6,000 generators together where the space is too large to be listed.
        """
        views = self.space.views(self.space.encode(graphs))
        random = np.random.default_rng(seed)
        if self.space.listed:
            places = self.space.places(views)
            return np.stack([self.drawn(random)[places] for _ in range(n)])
        flat = views.reshape(-1, views.shape[-1])
        if len(flat) > MOST_JOINT:
            raise ValueError(f"{len(flat):,} generators cannot be drawn together; the most are {MOST_JOINT:,}")
        with_data = self._with_data(flat)
        solved = solve_triangular(self._root, with_data.T, lower=True, check_finite=False)
        joint = self._covariance(flat, flat) - solved.T @ solved
        root = np.linalg.cholesky(joint + 1e-6 * np.eye(len(flat)))
        mean = with_data @ self._weights
        drawn = mean + random.standard_normal((n, len(flat))) @ root.T
        return np.asarray((drawn * self.spread + self.centre).reshape(n, len(graphs), -1))

    def everywhere(self) -> Floats:
        """[A]: the mean on every assignment of a listed space, as seen by its first generator."""
        return np.asarray(self._spread(self._weights) * self.spread + self.centre)

    def drawn(self, random: np.random.Generator) -> Floats:
        """[A]: as `everywhere`, drawn from what is believed: a draw from before the data, put right by the data."""
        before = np.sqrt(LEVEL) * random.standard_normal() + sum(
            np.sqrt(part.scale) * grid.draw(random) for part, grid in self._grids
        )
        training, times = self.rows[:, -2].astype(int), self.rows[:, -1]
        noise = np.sqrt(self.hyper.own / times) * random.standard_normal(len(times))
        shared = random.standard_normal(training.max() + 1)[training]
        noise += np.sqrt(self.hyper.shared / times) * shared + np.sqrt(JITTER) * random.standard_normal(len(times))
        wrong = self._all_targets - before[self.space.places(self._views)] - noise
        weights = cho_solve((self._root, True), wrong, check_finite=False)
        return np.asarray((before + self._spread(weights)) * self.spread + self.centre)

    @property
    def _grids(self) -> list[tuple[Part, OnGrid]]:
        return [(part, _grid(self.space, part.look, part.decay)) for part in self.hyper.parts]

    def _spread(self, weights: Floats) -> Floats:
        """[A]: the covariances of every assignment with the data, times their weights."""
        found = sum(part.scale * grid.spread(self._views, weights) for part, grid in self._grids)
        return np.asarray(LEVEL * weights.sum() + found)

    def _with_data(self, views: Codes) -> Floats:
        """[V, N]: the covariances of views [V, E] with all data."""
        return self._covariance(views, self._views, self._graphs)

    @cached_property
    def _graphs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One row of the data of each graph, and whose row each is."""
        _, first, which = np.unique(self.rows[:, -2], return_index=True, return_inverse=True)
        return first, which.reshape(-1)

    def _covariance(
        self, a: Codes, b: Codes, graphs: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    ) -> Floats:
        """[N, M]; `graphs` = of b, as `_graphs`: where all views of a graph look the same, one of each is enough."""
        total = np.full((len(a), len(b)), LEVEL)
        for part in self.hyper.parts:
            look, decay = look_of(self.space, part.look), np.array(part.decay)
            if look.rooted or graphs is None:
                total += part.scale * look.covariance(decay, a, b)
            else:
                first, which = graphs
                total += part.scale * look.covariance(decay, a, b[first])[:, which]
        return total


@lru_cache(maxsize=8)
def _grid(space: Space, look: str, decay: tuple[float, ...]) -> OnGrid:
    return look_of(space, look).grid(np.array(decay))


def _kept(values: Floats, most: int | None, seed: int) -> NDArray[np.int64]:
    if most is None or len(values) <= most:
        return np.arange(len(values))
    best_first = np.argsort(-values, kind="stable")
    others = np.random.default_rng(seed).permutation(best_first[most // 2 :])[: most - most // 2]
    return np.sort(np.concatenate([best_first[: most // 2], others]))
