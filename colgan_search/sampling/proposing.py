"""Which graph to train next: first some that are unlike, then the model's, now and then a leader once more."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.sampling import candidates
from colgan_search.sampling.history import Seen
from colgan_search.sampling.spread import spread
from colgan_search.search_plan import Plan
from colgan_search.surrogate.fitting import estimated, settled
from colgan_search.surrogate.model import GraphModel
from colgan_search.surrogate.scale import standardised
from colgan_search.surrogate.views import Codes

OPTIMISM = 2.5
"""A graph counts as good as its best generator's mean and so many deviations."""
UNGUIDED = 0.1
"""Share of the proposals that are random: what the model does not expect is found by them alone."""
DRAWN = 64
"""Random graphs of which a new one is taken."""
LOOKED_AT = 600
"""Views with the best means whose deviations are computed; half as many by a draw, and as many at random."""
ALL_AT = 2400
"""Spaces with fewer views are looked at whole."""
MOST_GRAPHS = 400
"""Of more distinct graphs the model learns from some (see `GraphModel.of_codes`)."""
SMALL = 150
"""Where a study's total is not known, spaces of so few graphs are visited whole before any graph is repeated."""
BELIEVED = 300
"""Of more running graphs the last ones: a proposal's time grows with the third power of all."""
ROUNDS = 2
"""Of local search, where a space cannot be listed."""


def propose(seen: Seen, plan: Plan, random: np.random.Generator) -> Codes:
    """The codes [E] of the next graph, under any labels."""
    space = seen.space
    fresh = candidates.untried(seen) if space.listed else None
    exhausted = fresh is not None and not len(fresh)
    if not len(seen.codes) or (len(seen.codes) < plan.startup_trials and not exhausted):
        return spread(seen, fresh, random) if space.modelled else _unguided(seen, fresh, random)
    if not space.modelled:
        return _mutated(seen, plan, random)
    model = model_of(seen).believing(seen.running[-BELIEVED:])
    if exhausted or _replicate_is_due(seen, plan):
        return _leader(seen, model, random)
    if random.random() < UNGUIDED:
        return _unguided(seen, fresh, random)
    if fresh is not None:
        return np.asarray(space.distinct[fresh[_best_of_all(model, fresh, random)]])
    return _best_nearby(seen, model, random)


def model_of(seen: Seen, most: int | None = MOST_GRAPHS, *, all_tell: bool = False) -> GraphModel:
    """The model of what was trained, with hyperparameters that stay for some trials, or from all of them."""
    codes, order = seen.space.canonical(seen.codes)
    scores = np.take_along_axis(seen.scores, order, axis=1)
    number = len(codes) if all_tell else settled(len(codes))
    table, _, _ = standardised(scores[:number])
    hyper = estimated(seen.space, codes[:number].tobytes(), table.tobytes())
    return GraphModel.of_codes(seen.space, codes, scores, hyper=hyper, most=most)


def _unguided(seen: Seen, fresh: NDArray[np.int64] | None, random: np.random.Generator) -> Codes:
    """Whatever the model believes: every number of open edges is as likely as another."""
    drawn = candidates.with_any_number_open(seen.space, DRAWN, random)
    new = candidates.new_ones(seen, drawn)
    if not len(new) and fresh is not None and len(fresh):
        return np.asarray(seen.space.distinct[random.choice(fresh)])
    return np.asarray(random.permutation(new if len(new) else drawn)[0])


def _mutated(seen: Seen, plan: Plan, random: np.random.Generator) -> Codes:
    """Without a model: a leader by its mean value with one edge changed, or every other time a random graph."""
    means = mean_values(seen)
    first = np.unique(seen.keys, return_index=True)[1]
    leaders = seen.codes[first[_top(means, candidates.LEADERS)]]
    if _replicate_is_due(seen, plan):
        return np.asarray(seen.codes[first[means.argmax()]])
    near = random.permutation(candidates.neighbours(seen.space, leaders))[:64]
    new = candidates.new_ones(seen, near)
    return (
        np.asarray(random.permutation(new)[0]) if len(new) and random.random() < 0.5 else _unguided(seen, None, random)
    )


def mean_values(seen: Seen) -> NDArray[np.float64]:
    """Of each graph that has scores, in the order of its keys: its trainings' mean value, whatever their labels."""
    keys, which, times = np.unique(seen.keys, return_inverse=True, return_counts=True)
    return np.bincount(which, seen.scores.max(axis=1), minlength=len(keys)) / times


def _replicate_is_due(seen: Seen, plan: Plan) -> bool:
    space = seen.space
    if space.listed and len(space.distinct) <= (plan.trials or SMALL):
        return False
    return seen.repeats < plan.replicates_due(len(seen.codes) + len(seen.running))


def _leader(seen: Seen, model: GraphModel, random: np.random.Generator) -> Codes:
    """Of the graphs that have scores, the one that may be the best."""
    codes = seen.codes[np.unique(seen.keys, return_index=True)[1]]
    return np.asarray(codes[_first(_promise(model, codes), random)])


def _best_of_all(model: GraphModel, fresh: NDArray[np.int64], random: np.random.Generator) -> int:
    """The place in `fresh` of the most promising graph: deviations are computed where that may be."""
    space = model.space
    k = space.roster.generators
    if len(fresh) * k <= ALL_AT:
        return _first(_promise(model, space.distinct[fresh]), random)
    places = space.distinct_views[fresh].reshape(-1)
    chosen = [_top(model.everywhere()[places], LOOKED_AT)]
    chosen += [_top(model.drawn(random)[places], LOOKED_AT // 2), random.integers(len(places), size=LOOKED_AT // 2)]
    looked_at = np.unique(np.concatenate(chosen))
    graph, generator = np.divmod(looked_at, k)
    views = space.distinct[fresh[graph]][np.arange(len(graph))[:, None], space.roots[generator]]
    mean, sd = model.predict_views(views)
    return int(graph[_first((mean + OPTIMISM * sd) / model.spread, random)])


def _best_nearby(seen: Seen, model: GraphModel, random: np.random.Generator) -> Codes:
    space = seen.space
    leaders = seen.codes[_top(_promise(model, seen.codes), candidates.LEADERS)]
    pool = candidates.new_ones(
        seen, np.vstack([candidates.neighbours(space, leaders), candidates.at_random(space, candidates.RANDOM, random)])
    )
    promise = _promise(model, pool)
    for _ in range(ROUNDS):
        leaders = pool[_top(promise, candidates.LEADERS)]
        near = candidates.new_ones(seen, candidates.neighbours(space, leaders))
        pool, promise = np.vstack([pool, near]), np.concatenate([promise, _promise(model, near)])
    if not len(pool):
        return _unguided(seen, None, random)
    return np.asarray(pool[_first(promise, random)])


def _promise(model: GraphModel, codes: Codes) -> NDArray[np.float64]:
    """[N]: each graph's best generator's mean and some deviations."""
    belief = model.predict_codes(codes)
    return np.asarray((belief.mean + OPTIMISM * belief.sd).max(axis=1, initial=-np.inf) / model.spread)


def _top(values: NDArray[np.float64], number: int) -> NDArray[np.int64]:
    return np.argpartition(-values, min(number, len(values)) - 1)[:number] if len(values) else np.arange(0)


def _first(values: NDArray[np.float64], random: np.random.Generator) -> int:
    """The place of the largest; one of those that are as large but for rounding."""
    return int(random.choice(np.flatnonzero(values >= values.max() - 1e-6)))
