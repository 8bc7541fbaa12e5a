"""Optuna's trials as graphs with scores."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from numbers import Real
from types import MappingProxyType
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from colgan_search.errors import PluginError, UnknownMember
from colgan_search.gates import get_gate
from colgan_search.roster import MAX_DISCRIMINATORS, MAX_K, Roster
from colgan_search.sampling.history import Seen
from colgan_search.surrogate.views import Space, space_of

Distributions = dict[str, BaseDistribution]
LARGEST = 1e100
"""What is larger stands for infinity (-1e308 for a failure): with such numbers there is no reckoning."""


def seen(
    trials: Iterable[FrozenTrial],
    space: Space,
    distributions: Distributions,
    direction: StudyDirection,
    attribute: str,
    given: Mapping[int, dict[str, Any]] = MappingProxyType({}),
) -> Seen:
    """What the trials of these distributions tell. `given` = parameters of running trials that may not have them yet.

    A trial's scores are its user attribute `attribute`; where that is not k finite numbers, its value stands for each
    of its generators, and a warning says so.
    """
    edges = space.roster.edges
    number = {gate.name: at for at, gate in enumerate(space.gates)}
    sign = 1.0 if direction == StudyDirection.MAXIMIZE else -1.0
    codes: dict[str, list[list[int]]] = {"trained": [], "running": [], "lost": []}
    scores: list[Sequence[float]] = []
    for trial in trials:
        ours = all(trial.distributions.get(name) == wanted for name, wanted in distributions.items())
        params = trial.params if ours else given.get(trial.number)
        if params is None or trial.state == TrialState.WAITING:
            continue
        row = [number[params[edge.name]] for edge in edges]
        known = scores_of(trial, space.roster.generators, attribute) if trial.state == TrialState.COMPLETE else None
        if known is not None:
            codes["trained"].append(row)
            scores.append(known)
        else:
            codes["running" if trial.state == TrialState.RUNNING else "lost"].append(row)
    arrays = {name: np.array(rows, dtype=np.int8).reshape(-1, len(edges)) for name, rows in codes.items()}
    table = sign * np.array(scores, dtype=np.float64).reshape(-1, space.roster.generators)
    return Seen(space, arrays["trained"], table, arrays["running"], arrays["lost"])


def scores_of(trial: FrozenTrial, k: int, attribute: str) -> Sequence[float] | None:
    """Each generator's score [k]; None if not even its value is a finite number, of up to 1e100."""
    given = trial.user_attrs.get(attribute)
    listed = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(listed, Sequence) and len(listed) == k and all(_is_score(score) for score in listed):
        return [float(score) for score in listed]
    if given is not None:
        warnings.warn(
            f"trial {trial.number}: {attribute} is {str(given)[:80]!r}, not {k} finite numbers; its value is taken for "
            "each generator's",
            stacklevel=2,
        )
    values = trial.values
    return [values[0]] * k if values is not None and len(values) == 1 and _is_score(values[0]) else None


def single_objective(study: Study) -> None:
    """ValueError for a study of several objectives."""
    if len(study.directions) > 1:
        raise ValueError("graphs are compared by one objective; this study has several")


def _is_score(score: Any) -> bool:
    return isinstance(score, Real) and not isinstance(score, bool) and abs(float(score)) <= LARGEST


def found_space(distributions: Mapping[str, BaseDistribution]) -> Space | None:
    """The space of graphs whose edges are exactly these parameters, all with the same gates; None if they are not."""
    first = next(iter(distributions.values()), None)
    if not isinstance(first, CategoricalDistribution) or any(other != first for other in distributions.values()):
        return None
    roster = _roster_of(frozenset(distributions))
    if roster is None or len(first.choices) < 2 or not all(isinstance(name, str) for name in first.choices):
        return None
    try:
        return space_of(roster, tuple(get_gate(str(name)) for name in first.choices))
    except (PluginError, UnknownMember):
        return None


@lru_cache(maxsize=64)
def _roster_of(names: frozenset[str]) -> Roster | None:
    k = len({target for name in names if (target := name.partition("->")[2]).startswith("G")})
    m = len({source for name in names if (source := name.partition("->")[0]).startswith("D")})
    if not 1 <= k <= MAX_K or not 1 <= m <= MAX_DISCRIMINATORS:
        return None
    roster = Roster(k, m)
    return roster if {edge.name for edge in roster.edges} == names else None
