"""What a race has found: the winner with its interval, how sure it is, what the search flattered it by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from colgan_search.evaluation.comparing import CONFIDENCE, Difference, Verdict, is_above, of_means
from colgan_search.racing.posterior import pooled_sd
from colgan_search.racing.rules import BASELINE, FINAL, RACE, Rules, Run, named, race_posterior, wanted

ANSWER_SEED = 0
"""Of the posterior draws of an answer, so that one that is printed twice says the same."""


@dataclass(frozen=True)
class Mean:
    """A mean of independent runs and the ends of its 95 % t interval; they are None with fewer than two runs."""

    runs: int
    value: float
    sd: float | None
    """Of one run."""
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Standing:
    """One candidate."""

    graph: str
    runs: int
    """Finished ones, the winner's own included."""
    mean: float | None
    """Of all its finished runs. Those of a winner were chosen by: it is flattered."""
    believed: float | None
    """The model's mean; None before every candidate has two runs."""
    believed_sd: float | None
    best_probability: float | None
    """That it is the best of the candidates."""


@dataclass(frozen=True)
class AgainstBaseline:
    """The winner's own runs against a baseline's."""

    baseline: str
    mean: Mean | None
    """None as long as it has no run."""
    difference: Difference | None
    """Winner minus baseline with Welch's 95 % interval; None with fewer than 2 runs of either, or if it is the same."""
    verdict: Verdict
    """Whether the winner is better."""
    same: bool = False
    """True if the winner is this baseline."""


@dataclass(frozen=True)
class Answer:
    """How a race stands. All values are larger-is-better; see `mirrored`."""

    winner: str | None
    """The graph that the race has named; None before."""
    leader: str | None
    """The winner, or else whoever leads by the model; None before every candidate has two runs."""
    mean: Mean | None
    """Of the winner's own runs, begun after it was named; None before the first has ended."""
    best_probability: float | None
    """That the leader is the best of the candidates, from all runs."""
    separated: bool
    """True if the winner was the best with the probability asked for when it was named, by the race's runs alone."""
    noise: float | None
    """Pooled standard deviation of one run, over all graphs."""
    standings: tuple[Standing, ...]
    """Best first by the model."""
    baselines: tuple[AgainstBaseline, ...]
    done: int
    wanted: int


def mirrored(found: Answer) -> Answer:
    """The same of an objective that is minimised: every value with its sign turned."""
    return replace(
        found,
        mean=found.mean and _mirrored_mean(found.mean),
        standings=tuple(
            replace(one, mean=_negative(one.mean), believed=_negative(one.believed)) for one in found.standings
        ),
        baselines=tuple(
            replace(
                one,
                mean=one.mean and _mirrored_mean(one.mean),
                difference=one.difference
                and Difference(-one.difference.value, -one.difference.high, -one.difference.low),
            )
            for one in found.baselines
        ),
    )


def _mirrored_mean(mean: Mean) -> Mean:
    return replace(mean, value=-mean.value, low=_negative(mean.high), high=_negative(mean.low))


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def mean_of(values: Sequence[float]) -> Mean:
    """Their mean with Student's 95 % interval. ValueError without any."""
    if not values:
        raise ValueError("no values")
    value = float(np.mean(values))
    if len(values) < 2:
        return Mean(1, value, None, None, None)
    sd = float(np.std(values, ddof=1))
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(values) - 1)) * sd / len(values) ** 0.5
    return Mean(len(values), value, sd, value - half, value + half)


def answer(rules: Rules, runs: Sequence[Run], extra: dict[str, Sequence[float]] | None = None) -> Answer:
    """What the runs say so far. `extra`: values of baselines that ran elsewhere, one DCGAN for example."""
    winner = named(runs)
    belief = race_posterior(rules, runs, np.random.default_rng(ANSWER_SEED), roles=(RACE, FINAL))
    chances = None if belief is None else belief.best_probabilities
    standings = []
    for number, graph in enumerate(rules.candidates):
        values = _finished(runs, graph, RACE, FINAL)
        standings.append(
            Standing(
                graph=graph,
                runs=len(values),
                mean=float(np.mean(values)) if values else None,
                believed=None if belief is None else float(belief.mean[number]),
                believed_sd=None if belief is None else float(belief.sd[number]),
                best_probability=None if chances is None else float(chances[number]),
            )
        )
    if belief is not None:
        standings.sort(key=lambda one: -(one.believed or 0.0))
    leader = winner or (standings[0].graph if belief is not None else None)
    final = [] if winner is None else _finished(runs, winner, FINAL)
    against = {graph: _finished(runs, graph, BASELINE) for graph in rules.baselines} | dict(extra or {})
    values_of = [_finished(runs, graph, RACE, FINAL, BASELINE) for graph in {run.graph: None for run in runs}]
    noise, freedom = pooled_sd(values_of)
    return Answer(
        winner=winner,
        leader=leader,
        mean=mean_of(final) if final else None,
        best_probability=next((one.best_probability for one in standings if one.graph == leader), None),
        separated=_separated(rules, runs, winner),
        noise=noise if freedom else None,
        standings=tuple(standings),
        baselines=tuple(_against(name, values, winner, final) for name, values in against.items()),
        done=sum(run.value is not None for run in runs),
        wanted=wanted(rules, runs),
    )


def _separated(rules: Rules, runs: Sequence[Run], winner: str | None) -> bool:
    belief = race_posterior(rules, runs, np.random.default_rng(ANSWER_SEED))
    if winner is None or belief is None or winner not in rules.candidates:
        return False
    return bool(belief.best_probabilities[rules.candidates.index(winner)] >= rules.until)


def _against(name: str, values: Sequence[float], winner: str | None, final: Sequence[float]) -> AgainstBaseline:
    mean = mean_of(values) if values else None
    if name == winner:
        return AgainstBaseline(name, mean, None, Verdict.NO, same=True)
    if min(len(values), len(final)) < 2:
        return AgainstBaseline(name, mean, None, Verdict.NOT_RUN)
    difference = of_means(final, values)
    return AgainstBaseline(name, mean, difference, is_above(difference))


def _finished(runs: Sequence[Run], graph: str, *roles: str) -> list[float]:
    return [run.value for run in runs if run.graph == graph and run.role in roles and run.value is not None]
