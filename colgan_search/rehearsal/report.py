"""What rehearsed searches gave: mean regrets with 95 % bootstrap intervals over seeds, as rows of one table."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from colgan_search.rehearsal.runs import Run

AVERAGE = "functions' mean"
"""The mean over the synthetic functions, which have one unit."""
BASELINE = "tpe"
"""Whose regret others are divided by."""
CONFIDENCE, RESAMPLES = 0.95, 4000
ESTIMATES = ("regret", "in_time", "against_tpe")
"""Which numbers of a line have an interval."""


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds and the ends of its 95 % interval; they are the mean itself with a single seed."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One problem, strategy and budget."""

    problem: str
    strategy: str
    budget: int
    """Trials, or whole trainings' worth of time."""
    seeds: int
    unit: str
    regret: Estimate
    """Of the named graph after `budget` trials."""
    visited: float
    """Mean regret of the best graph that was trained, named or not."""
    hours: float
    """Mean training time of `budget` trials, all workers together."""
    in_time: Estimate
    """Regret of the named graph after the time of `budget` whole trainings."""
    time_hours: float
    """That time."""
    time_trials: float
    """Mean number of trials that ended in that time, whole or pruned."""
    against_tpe: Estimate | None
    """`regret` over TPE's, by its mean over the same seeds; None without TPE."""


def lines(runs: Sequence[Run]) -> list[Line]:
    """A line for each problem, strategy and budget, in the order of the runs; functions' mean first of all."""
    by_problem: dict[str, dict[str, dict[int, Run]]] = {}
    for run in runs:
        by_problem.setdefault(run.task.problem, {}).setdefault(run.task.strategy, {})[run.task.seed] = run
    functions = {
        name: of
        for name, of in by_problem.items()
        if all(run.task.table is None for seeds in of.values() for run in seeds.values())
    }
    found: list[Line] = []
    if len(functions) > 1:
        found += _of_problem(AVERAGE, list(functions.values()))
    for name, of in by_problem.items():
        found += _of_problem(name, [of])
    return found


def _of_problem(name: str, problems: Sequence[dict[str, dict[int, Run]]]) -> list[Line]:
    """Of one problem, or the mean over several seed by seed, with the seeds that all of them have."""
    found = []
    for strategy in problems[0]:
        of = [problem.get(strategy, {}) for problem in problems]
        seeds = sorted(set.intersection(*(set(one) for one in of)))
        if not seeds:
            continue
        against = [problem.get(BASELINE, {}) for problem in problems]
        common = [seed for seed in seeds if all(seed in one for one in against)]
        first = of[0][seeds[0]].searched
        for at, point in enumerate(first.by_trials):
            then, in_time = _Column(of, seeds, "by_trials", at), _Column(of, seeds, "by_time", at)
            ours = _Column(of, common, "by_trials", at)
            theirs = _Column(against, common, "by_trials", at)
            found.append(
                Line(
                    problem=name,
                    strategy=strategy,
                    budget=point.budget,
                    seeds=len(seeds),
                    unit=first.unit,
                    regret=estimate(then("regret")),
                    visited=float(then("visited").mean()),
                    hours=float(then("hours").mean()),
                    in_time=estimate(in_time("regret")),
                    time_hours=first.mean_hours * point.budget,
                    time_trials=float(in_time("trials").mean()),
                    against_tpe=ratio(ours("regret"), theirs("regret")) if common else None,
                )
            )
    return found


@dataclass(frozen=True)
class _Column:
    """A number of one budget's points, seed by seed."""

    problems: Sequence[dict[int, Run]]
    seeds: Sequence[int]
    series: str
    at: int

    def __call__(self, number: str) -> NDArray[np.float64]:
        """[seeds]: its mean over the problems."""
        points = [[getattr(one[seed].searched, self.series)[self.at] for seed in self.seeds] for one in self.problems]
        values: NDArray[np.float64] = np.array([[getattr(point, number) for point in row] for row in points], float)
        mean: NDArray[np.float64] = values.mean(axis=0)
        return mean


def estimate(values: NDArray[np.float64]) -> Estimate:
    """The mean with its 95 % percentile bootstrap interval. ValueError without values."""
    if not len(values):
        raise ValueError("no values")
    return _bootstrapped((values,), lambda a, axis=-1: np.mean(a, axis=axis))


def ratio(values: NDArray[np.float64], others: NDArray[np.float64]) -> Estimate | None:
    """mean(values) / mean(others) over the same seeds, with its interval; None where the others' may be 0 or below."""
    if estimate(others).low <= 0:
        return None
    return _bootstrapped((values, others), lambda a, b, axis=-1: np.mean(a, axis=axis) / np.mean(b, axis=axis))


def _bootstrapped(data: tuple[NDArray[np.float64], ...], statistic: Callable[..., Any]) -> Estimate:
    mean = float(statistic(*data))
    if len({tuple(row) for row in np.column_stack(data).tolist()}) == 1:  # SciPy has no interval without any spread
        return Estimate(mean, mean, mean)
    # The generator is seeded, so that a report made twice says the same.
    found = stats.bootstrap(
        *(data, statistic), n_resamples=RESAMPLES, confidence_level=CONFIDENCE, method="percentile", paired=True, rng=0
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high))


def as_csv(found: Sequence[Line]) -> str:
    """One row per line; intervals as three columns."""
    rows = [_flat(line) for line in found]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def as_json(found: Sequence[Line]) -> list[dict[str, Any]]:
    """One object per line; an estimate is `{"mean", "low", "high"}`."""
    return [_rounded(asdict(line)) for line in found]


def _flat(line: Line) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for field in fields(line):
        value = getattr(line, field.name)
        if field.name not in ESTIMATES:
            flat[field.name] = value if not isinstance(value, float) else round(value, 5)
            continue
        for part in ("mean", "low", "high"):
            flat[f"{field.name}_{part}"] = "" if value is None else round(getattr(value, part), 5)
    return flat


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return round(value, 5) if isinstance(value, float) else value
