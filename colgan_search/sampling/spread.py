"""Graphs that tell much before anything is known: of random ones, the one that is least like those that were tried."""

import numpy as np
from numpy.typing import NDArray

from colgan_search.sampling import candidates
from colgan_search.sampling.history import Seen
from colgan_search.surrogate.fitting import usual
from colgan_search.surrogate.model import GraphModel
from colgan_search.surrogate.views import Codes

UNIFORM, BY_NUMBER = 150, 50
"""Graphs to choose among: each gate with the same probability, and with any number of open edges."""
LATEST = 150
"""Of more graphs the last ones: where a thousand workers begin at once, each waits for those before it."""


def spread(seen: Seen, fresh: NDArray[np.int64] | None, random: np.random.Generator) -> Codes:
    """The codes [E] of a new graph of a space that is modelled, `fresh` being the places of all such in a listed one.

    Of random ones it is the one whose generators' scores are least known, as the model believes before there is data,
    after the graphs that were tried or are being trained.
    """
    pool = _pool(seen, fresh, random)
    tried = np.vstack([seen.codes, seen.running])[-LATEST:]
    if not len(tried):
        return np.asarray(pool[random.integers(len(pool))])
    k = seen.space.roster.generators
    model = GraphModel.of_codes(seen.space, tried, np.zeros((len(tried), k)), hyper=usual(seen.space))
    unknown = (model.predict_codes(pool).sd ** 2).sum(axis=1)
    return np.asarray(pool[random.choice(np.flatnonzero(unknown >= unknown.max() - 1e-6))])


def _pool(seen: Seen, fresh: NDArray[np.int64] | None, random: np.random.Generator) -> Codes:
    space = seen.space
    drawn = np.vstack(
        [candidates.at_random(space, UNIFORM, random), candidates.with_any_number_open(space, BY_NUMBER, random)]
    )
    if fresh is None or len(fresh) > len(drawn):
        new = candidates.new_ones(seen, drawn)
        return new if len(new) else drawn
    return np.asarray(space.distinct[fresh]) if len(fresh) else drawn
