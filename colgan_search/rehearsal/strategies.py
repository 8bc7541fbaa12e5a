"""Who searches: an Optuna sampler, perhaps a pruner, and a rule that names the winner."""

import warnings
from abc import ABC, abstractmethod
from typing import ClassVar

import optuna
from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from colgan_search.registry import Registry
from colgan_search.rehearsal.problem import Problem

STARTUP = 10
"""Random trials of TPE and the Gaussian process before they propose: a study's default."""
REDUCTION = 2
"""Of the trainings that reach a moment of successive halving, one of so many goes on to the next."""


class Strategy(ABC):
    """One way to search. By default nothing is pruned, and the best single trial is named."""

    name: ClassVar[str]
    words: ClassVar[str]

    @abstractmethod
    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """For one search of so many trials. Parameters are named after the edges; a trial's `is_mean` has scores."""

    def pruner(self) -> BasePruner:
        """Asked at each moment of a training, whose steps are 1, 2, ..."""
        return NopPruner()

    def winner(self, study: optuna.Study, problem: Problem, seed: int) -> int | None:
        """The number of the trial whose graph is named; None as long as none is complete."""
        return best_single(study)


def best_single(study: optuna.Study) -> int | None:
    """The complete trial with the highest value, the earlier among equals."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return max(done, key=lambda trial: (trial.value, -trial.number)).number if done else None


class Random(Strategy):
    """Random search: no model."""

    name = "random"
    words = "every gate with the same probability; the best single trial is named"

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """Of the seed alone."""
        return RandomSampler(seed=seed)


class RandomAsha(Random):
    """Random search that stops trainings early."""

    name = "random-asha"
    words = "random, with asynchronous successive halving at the moments; the best whole trial is named"

    def pruner(self) -> BasePruner:
        """Optuna's, with rungs at the moments 1, 2, 4, ...; half go on from each."""
        return SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION)


class Tpe(Strategy):
    """As a study with `sampler: tpe` searches."""

    name = "tpe"
    words = "Optuna's tree-structured Parzen estimator; the best single trial is named"

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """Optuna's defaults."""
        return TPESampler(n_startup_trials=STARTUP, seed=seed)


class NsgaIi(Strategy):
    """Evolution."""

    name = "nsgaii"
    words = "Optuna's evolutionary algorithm; the best single trial is named"

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """Optuna's defaults."""
        return NSGAIISampler(seed=seed)


class Gp(Strategy):
    """Slow: a second and more a proposal after some hundred trials."""

    name = "gp"
    words = "Optuna's Gaussian process; the best single trial is named; slow"

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """Optuna's defaults."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return GPSampler(n_startup_trials=STARTUP, seed=seed)


class TpeModel(Tpe):
    """TPE's trials, and the graph model's winner: how much of regret is naming."""

    name = "tpe-model"
    words = "TPE's trials; the graph model names the winner"

    def winner(self, study: optuna.Study, problem: Problem, seed: int) -> int | None:
        """By `name_winner`."""
        return _named_by_model(study, problem, seed)


class Graph(Strategy):
    """This program's own sampler."""

    name = "graph"
    words = "the graph sampler, which knows relabellings and all generators' scores; its model names the winner"

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        """Among all graphs of the space: like every sampler's, its proposals are brought to a table's nearest one."""
        from colgan_search.sampling import GraphSampler

        return GraphSampler(
            problem.roster.generators,
            gates=problem.gates,
            seed=seed,
            trials=trials,
        )

    def winner(self, study: optuna.Study, problem: Problem, seed: int) -> int | None:
        """By `name_winner`."""
        return _named_by_model(study, problem, seed)


def _named_by_model(study: optuna.Study, problem: Problem, seed: int) -> int | None:
    from colgan_search.sampling import name_winner

    return None if best_single(study) is None else name_winner(study)


RANDOM, RANDOM_ASHA, TPE, TPE_MODEL, NSGAII, GP, GRAPH = (
    *(Random(), RandomAsha(), Tpe(), TpeModel()),
    *(NsgaIi(), Gp(), Graph()),
)

STRATEGIES: Registry[Strategy] = Registry(
    "strategy",
    "colgan_search.rehearsal_strategies",
    Strategy,  # type: ignore[type-abstract]
    {
        name: f"colgan_search.rehearsal.strategies:{name.upper().replace('-', '_')}"
        for name in ("random", "tpe", "nsgaii", "random-asha", "graph", "tpe-model", "gp")
    },
)
USUAL = ("random", "tpe", "nsgaii", "random-asha", "graph")
"""What a rehearsal compares unless it says otherwise."""
