"""A study's graphs with what is known of each: its runs, their mean and its error, and the model's estimate."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colgan_search.config import StudyConfig
from colgan_search.errors import GraphError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.racing.posterior import fenced, pooled_sd
from colgan_search.search.ranking.modelling import model_of_records
from colgan_search.search.study.results import TrialRecord, best_first, best_graph
from colgan_search.symmetry import canonical_order

if TYPE_CHECKING:
    from colgan_search.surrogate import GraphModel

OWN_SPREAD = 5
"""With fewer runs a graph's own spread is a poor guess: the study's pooled one is used."""
MODELLED = 1500
"""So many graphs, those with the best means, are asked of the model: 2 s."""
FEWEST = 10
"""Runs below which the model is not asked: nothing would be known of how graphs resemble one another."""


@dataclass(frozen=True)
class GraphEstimate:
    """One graph up to relabelling, and its trainings. Numbers are of the study's objective, in its own sense."""

    graph: KnowledgeTransferGraph
    """Its canonical form."""
    trials: tuple[TrialRecord, ...]
    """Its runs, the best first; labelled as they were run."""
    mean: float
    """Of the runs' values; a run's value is its best generator's score."""
    generators: tuple[float, ...]
    """[k]: mean scores of the canonical form's generators over the runs; a run that diverged has the worst score."""
    sd: float | None
    """Standard deviation of the runs' values; None with one."""
    error: float | None
    """Standard error of `mean`: by the runs' own spread from five runs on, else by the study's pooled one; None if
    the study has no replicates at all."""
    estimate: float
    """What the graph is ranked by: the mean value of its runs by the model, or `mean` where that was not asked."""
    estimate_sd: float | None
    """The model's posterior standard deviation; None where it was not asked."""

    @property
    def runs(self) -> int:
        """How many trainings stand behind it."""
        return len(self.trials)

    @property
    def best_run(self) -> TrialRecord:
        """The run with the best value."""
        return self.trials[0]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "graph": self.graph.to_text(),
            "runs": self.runs,
            "trials": [trial.number for trial in self.trials],
            "mean": self.mean,
            "generator_means": list(self.generators),
            "sd_of_runs": self.sd,
            "standard_error": self.error,
            "estimate": self.estimate,
            "estimate_sd": self.estimate_sd,
        }

    def as_row(self) -> dict[str, Any]:
        """For a table: as `as_dict`, with one column for each generator; the trials' numbers as JSON."""
        row = self.as_dict()
        means = {f"generator_mean_G{number}": mean for number, mean in enumerate(self.generators, start=1)}
        del row["generator_means"]
        return row | means | {"trials": json.dumps(row["trials"])}


def columns(config: StudyConfig) -> dict[str, type]:
    """The columns of a table of a study's graphs (`GraphEstimate.as_row`), and what they hold."""
    means = {f"generator_mean_G{number}": float for number in range(1, config.k + 1)}
    numbers = dict.fromkeys(("sd_of_runs", "standard_error", "estimate", "estimate_sd"), float)
    return {"graph": str, "runs": int, "trials": str, "mean": float, **means, **numbers}


@dataclass(frozen=True)
class Luckiest:
    """The single run with the best value: the paper's way to name a graph."""

    trial: TrialRecord
    of: GraphEstimate
    """Its graph."""
    flattered_by: float
    """How much better it is than its graph: above 0 it flatters."""
    measured: bool
    """True = by the graph's other runs; False = by the model's estimate, as it has no other run."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "trial": self.trial.number,
            "value": self.trial.value,
            "graph": self.trial.graph,
            "runs_of_its_graph": self.of.runs,
            "flattered_by": self.flattered_by,
            "measured_from_replicates": self.measured,
        }


@dataclass(frozen=True)
class Ranking:
    """The graphs of a study, best first by their estimates."""

    graphs: tuple[GraphEstimate, ...]
    sd_of_runs: float | None
    """Pooled standard deviation of runs of one graph; None without replicates."""
    luckiest: Luckiest

    @property
    def best(self) -> GraphEstimate:
        """The graph that is named."""
        return self.graphs[0]

    def of(self, trial: TrialRecord) -> GraphEstimate | None:
        """The graph of a trial; None if it is not complete."""
        return next((one for one in self.graphs if trial.number in {run.number for run in one.trials}), None)


def rank(
    trials: Sequence[TrialRecord], config: StudyConfig, model: "Callable[[], GraphModel | None] | None" = None
) -> Ranking | None:
    """The graphs of the complete ones among these trials; None if there are none.

    The model is `surrogate.GraphModel`, of all generators' scores of all runs: the one of `name_winner`; `model` gives
    it to who has it already.
    """
    objective = config.objective
    complete = best_first([trial for trial in trials if trial.graph is not None], objective)
    if not complete:
        return None
    groups: dict[KnowledgeTransferGraph, list[tuple[TrialRecord, NDArray[np.float64]]]] = defaultdict(list)
    for trial in complete:
        graph, scores = _aligned(trial, config)
        groups[graph].append((trial, scores))
    values = {graph: [float(run.value or 0.0) for run, _ in runs] for graph, runs in groups.items()}
    # An accident (a run that diverged) would else be taken for the noise of all.
    pooled, freedom = pooled_sd(fenced([[-objective.rank(value) for value in of] for of in values.values()]))
    means = {graph: float(np.mean(of)) for graph, of in values.items()}
    asked = sorted(groups, key=lambda graph: objective.rank(means[graph]))[:MODELLED]
    believed = _modelled(complete, asked, config, model or (lambda: model_of_records(complete, config)))
    found = []
    for graph, runs in groups.items():
        sd = float(np.std(values[graph], ddof=1)) if len(runs) > 1 else None
        spread = sd if len(runs) >= OWN_SPREAD else pooled if freedom else None
        estimate, estimate_sd = believed.get(graph, (means[graph], None))
        found.append(
            GraphEstimate(
                graph=graph,
                trials=tuple(run for run, _ in runs),
                mean=means[graph],
                generators=tuple(np.mean([scores for _, scores in runs], axis=0).tolist()),
                sd=sd,
                error=None if spread is None else spread / len(runs) ** 0.5,
                estimate=estimate,
                estimate_sd=estimate_sd,
            )
        )
    # A graph that the model was not asked of has a mean below all that it was: it stays behind them.
    found.sort(key=lambda one: (one.estimate_sd is None, objective.rank(one.estimate), one.best_run.number))
    return Ranking(tuple(found), pooled if freedom else None, _luckiest(complete[0], found, config))


def _aligned(trial: TrialRecord, config: StudyConfig) -> tuple[KnowledgeTransferGraph, NDArray[np.float64]]:
    """The trial's canonical graph, and the scores [k] of that one's generators; of a diverged run the worst."""
    graph = best_graph(trial)
    scores = trial.of(config.objective.number) or (config.objective.worst,) * config.k
    try:
        generators, discriminators = canonical_order(graph)
    except GraphError:  # too many relabellings to compare them all: every graph stands for itself
        return graph, np.array(scores)
    return graph.relabel(generators, discriminators), np.array(scores)[np.array(generators) - 1]


def _modelled(
    complete: Sequence[TrialRecord],
    asked: Sequence[KnowledgeTransferGraph],
    config: StudyConfig,
    made: "Callable[[], GraphModel | None]",
) -> dict[KnowledgeTransferGraph, tuple[float, float | None]]:
    """Mean and standard deviation of the model's belief in each graph's value, in the objective's own sense."""
    if len(config.roster.edges) == 1 or len(asked) == 1 or len(complete) < FEWEST:
        return {}  # so little that the means say all
    model = made()
    if model is None:
        return {}
    sign = 1.0 if config.objective.higher_is_better else -1.0
    belief = model.predict(asked)  # once: it is what takes the time
    values = sign * model.values_of(belief)
    deviations = model.best_of(belief).sd.tolist()
    return dict(zip(asked, zip(values.tolist(), deviations, strict=True), strict=True))


def _luckiest(trial: TrialRecord, graphs: Sequence[GraphEstimate], config: StudyConfig) -> Luckiest:
    of = next(one for one in graphs if trial.number in {run.number for run in one.trials})
    others = [float(run.value or 0.0) for run in of.trials if run.number != trial.number]
    level = float(np.mean(others)) if others else of.estimate
    return Luckiest(trial, of, config.objective.rank(level) - config.objective.rank(trial.value or 0.0), bool(others))
