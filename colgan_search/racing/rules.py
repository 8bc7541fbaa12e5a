"""A race on one page: every candidate a few runs, then the top two's duel, then the winner's own fresh runs.

The runs that a winner was chosen by flatter it, and no interval of them covers its true value as often as it says. So
the last runs of the budget are given to the graph that the race has named, after it was named: they know nothing of
the choice, and the interval is theirs alone. The baselines run beside, as often.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from colgan_search.racing.posterior import DRAWS, Posterior, posterior

RACE, FINAL, BASELINE = "race", "final", "baseline"
ROLES = (RACE, FINAL, BASELINE)
"""What a run is for: to choose by, to judge the chosen by, to compare with."""


@dataclass(frozen=True)
class Run:
    """One run. Larger values are better."""

    graph: str
    role: str
    value: float | None
    """None while it runs."""

    @classmethod
    def of_trial(cls, graph: str, role: str | None, value: float | None, *, higher_is_better: bool) -> "Run | None":
        """A trial as a run of the race; None if it is not one of the race's own. `value` in the study's own sense."""
        if role not in ROLES:
            return None
        return cls(graph, str(role), value if value is None or higher_is_better else -value)


@dataclass(frozen=True)
class Rules:
    """A race's settings; graphs by any name that is theirs alone."""

    candidates: tuple[str, ...]
    """In the order of the first ranking, the best first."""
    baselines: tuple[str, ...]
    seeds: int
    """N: runs of the winner after it is named, and of each baseline."""
    until: float
    """The race ends when the leader is the best with this probability."""
    least: int = 2
    """Runs of every candidate before the duel."""

    @property
    def race_budget(self) -> int:
        """The most runs that the race takes: with the winner's own, N for every candidate."""
        m = len(self.candidates)
        return max((m - 1) * self.seeds, m * self.least) if m > 1 else 0

    @property
    def budget(self) -> int:
        """The most runs of all."""
        return self.race_budget + self.seeds * (1 + len(self.baselines))


def named(runs: Sequence[Run]) -> str | None:
    """The winner, once the race has named it."""
    return next((run.graph for run in runs if run.role == FINAL), None)


def wanted(rules: Rules, runs: Sequence[Run]) -> int:
    """How many runs this race will have taken: fewer than its budget once a winner is named early."""
    if named(runs) is None:
        return rules.budget
    return _count(runs, RACE) + rules.seeds * (1 + len(rules.baselines))


def race_posterior(
    rules: Rules, runs: Sequence[Run], rng: np.random.Generator, draws: int = DRAWS, roles: Sequence[str] = (RACE,)
) -> Posterior | None:
    """The belief in the candidates' values, in their order; None as long as one of them has fewer than 2 runs."""
    finished = [_values(runs, graph, roles) for graph in rules.candidates]
    return None if min(map(len, finished)) < 2 else posterior(finished, rng, draws)


def next_run(rules: Rules, runs: Sequence[Run], seed: int, draws: int = DRAWS) -> tuple[str, str]:
    """(role, graph) of the run that is begun next. The same runs and seed give the same answer."""
    winner = named(runs)
    missing = [graph for graph in rules.baselines if _count(runs, BASELINE, graph) < rules.seeds]
    baseline = min(missing, key=lambda graph: _count(runs, BASELINE, graph), default=None)
    if winner is not None:
        if baseline is None or _count(runs, FINAL) < rules.seeds:
            return FINAL, winner
        return BASELINE, baseline
    if rules.race_budget == 0:
        return FINAL, rules.candidates[0]
    rare = min(rules.candidates, key=lambda graph: _count(runs, RACE, graph))
    if _count(runs, RACE, rare) < rules.least:
        return RACE, rare
    rng = np.random.default_rng(seed)
    belief = race_posterior(rules, runs, rng, draws)
    decided = belief is not None and belief.best_probabilities.max() >= rules.until
    if decided or _count(runs, RACE) >= rules.race_budget:
        if baseline is not None and any(run.role == RACE and run.value is None for run in runs):
            return BASELINE, baseline  # what still runs has a say in the choice; meanwhile there is other work
        return FINAL, rules.candidates[0 if belief is None else belief.leader]
    if belief is None:
        return RACE, rare  # the first runs are under way, with more workers than there are candidates
    return RACE, rules.candidates[_one_of_top_two(rules, runs, belief, rng)]


def _one_of_top_two(rules: Rules, runs: Sequence[Run], belief: Posterior, rng: np.random.Generator) -> int:
    """Top-two Thompson sampling (Russo 2016): the best of one draw, or the best of one whose best is another.

    A run under way counts as if it came out as believed: it narrows the belief without moving it.
    """
    running = np.array([_count(runs, RACE, graph, running=True) for graph in rules.candidates])
    finished = np.array([_count(runs, RACE, graph) for graph in rules.candidates]) - running
    narrower = np.sqrt(finished / (finished + running))
    best = (belief.mean + (belief.draws - belief.mean) * narrower).argmax(axis=1)
    leader = int(best[0])
    if rng.random() < 0.5:
        return leader
    others = best[best != leader]
    if len(others):
        return int(others[0])
    means = belief.mean.copy()
    means[leader] = -np.inf
    return int(means.argmax())


def _values(runs: Sequence[Run], graph: str, roles: Sequence[str]) -> list[float]:
    return [run.value for run in runs if run.graph == graph and run.role in roles and run.value is not None]


def _count(runs: Sequence[Run], role: str, graph: str | None = None, *, running: bool = False) -> int:
    return sum(
        run.role == role and (graph is None or run.graph == graph) and (not running or run.value is None)
        for run in runs
    )
