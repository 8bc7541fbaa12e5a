"""The sampler for Optuna: graphs up to relabelling, modelled by every generator's score."""

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from colgan_search.gates import PAPER_GATES, Gate, parse_gate
from colgan_search.roster import Roster
from colgan_search.sampling import trials as graph_trials
from colgan_search.sampling.defaults import REPLICATES, STARTUP_TRIALS
from colgan_search.sampling.proposing import Plan, propose
from colgan_search.surrogate.views import space_of


class GraphSampler(BaseSampler):
    """Proposes knowledge transfer graphs. Usable with Optuna alone, in any number of threads or processes.

    The objective asks `trial.suggest_categorical("D->G1", gates)` and so on for every edge, and should keep each
    generator's score, as a list of k numbers, in the trial's user attribute `is_mean`; without it the trial's value is
    taken as every generator's. Trials of one graph, under any labels, are replicates. A study whose parameters are not
    these edges with these gates is sampled at random.

    Args:
        k: generators, 1..64; None = as the study's parameters say, with their gates.
        gates: gates, or their names, at least two.
        seed: of all that is random; None = another one each time. Proposals are a function of it and of the history.
        discriminators: 1..16.
        trials: how many there will be, if known: where they buy every distinct graph, each is trained once before any
            is trained again.
        startup_trials: random graphs before the model begins.
        replicates: share of the later trials, 0..1, that train a leading graph again.
        scores: the user attribute of each generator's score.

    ValueError for what is out of range; GraphError for unknown gates.
    """

    def __init__(
        self,
        k: int | None = 3,
        gates: Sequence[str | Gate] = PAPER_GATES,
        seed: int | None = 0,
        *,
        discriminators: int = 1,
        trials: int | None = None,
        startup_trials: int = STARTUP_TRIALS,
        replicates: float = REPLICATES,
        scores: str = "is_mean",
    ) -> None:
        if not 0.0 <= replicates <= 1.0 or startup_trials < 1 or (trials is not None and trials < 1):
            raise ValueError(
                f"replicates is {replicates}, startup_trials {startup_trials}, trials {trials}; "
                "replicates lies in [0, 1], the others are at least 1"
            )
        chosen = tuple(gate if isinstance(gate, Gate) else parse_gate(gate) for gate in gates)
        if len(set(chosen)) < 2 or len(set(chosen)) != len(chosen):
            raise ValueError("gates needs at least two different gates")
        self._space = None if k is None else space_of(Roster(k, discriminators), chosen)
        self._plan = Plan(startup_trials, replicates, trials)
        self._attribute = scores
        self._seed = self._entropy() if seed is None else seed
        self._independent = RandomSampler(seed=self._seed % 2**32)
        # Two threads that ask at once would get the same graph.
        self._lock = threading.Lock()

    @staticmethod
    def _entropy() -> int:
        return int(np.random.SeedSequence().generate_state(1)[0])

    def reseed_rng(self) -> None:
        """Another seed: Optuna asks for it in each of several processes."""
        self._seed = self._entropy()
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The edges, as the latest trial that has parameters was asked for them; nothing if it was asked for others."""
        graph_trials.single_objective(study)
        others = study.get_trials(deepcopy=False)
        latest = next((other for other in reversed(others) if other.params and other.number != trial.number), None)
        space = latest and graph_trials.found_space(latest.distributions)
        return dict(latest.distributions) if latest and space and self._space in (None, space) else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A gate for every edge. Of a space that is not that of a graph's edges, a random value of each parameter."""
        graph_trials.single_objective(study)
        space = graph_trials.found_space(search_space)
        if space is None:
            return {name: self.sample_independent(study, trial, name, of) for name, of in search_space.items()}
        with self._lock:
            others = study.get_trials(deepcopy=False)
            seen = graph_trials.seen(others, space, search_space, study.direction, self._attribute, but=trial.number)
            random = np.random.default_rng([self._seed, trial.number % 2**32])
            codes = propose(seen, self._plan, random)
        names = [gate.name for gate in space.gates]
        return {edge.name: names[code] for edge, code in zip(space.roster.edges, codes, strict=True)}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        graph_trials.single_objective(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)
