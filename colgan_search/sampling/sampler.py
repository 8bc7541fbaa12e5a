"""The sampler for Optuna: graphs up to relabelling, modelled by every generator's score."""

import threading
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from colgan_search.gates import PAPER_GATES, Gate, parse_gate
from colgan_search.roster import Roster
from colgan_search.sampling import trials as graph_trials
from colgan_search.sampling.proposing import propose
from colgan_search.search_plan import USUAL, Plan
from colgan_search.surrogate.views import space_of


class GraphSampler(BaseSampler):
    """Proposes knowledge transfer graphs: `GraphSampler(k=3, gates=("through", "cutoff"), seed=0)`, with Optuna alone.

    The objective asks `trial.suggest_categorical("D->G1", gates)` and so on for every edge, and should keep each
    generator's score, as a list of k numbers, in the trial's user attribute `scores`; without it the trial's value is
    taken as every generator's. Trials of one graph, under any labels, are replicates. Running trials count as scored
    as they are believed to, so that any number may run at once. The graph of a pruned or failed trial is not proposed
    again, and nothing is learnt from its scores, which are not those of a whole training. A study whose parameters
    are not these edges with these gates is sampled at random, and so is the first trial.

    `k` is 1..64, None = as the study's parameters say, with their gates; `gates` are gates or names, at least two;
    `discriminators` is 1..16. Proposals are a function of `seed` (None = another one each time), the trial's number and
    the history; what is sampled at random, as a study's first trial is, comes again in one thread alone, as with
    Optuna's samplers. A sampler can be pickled and copied; the copy goes on as it would.
    `trials` is how many there will be, if known: where they buy every distinct graph, each is trained once before any
    is trained again. Until `startup_trials` have scores, graphs unlike each other are proposed; after these a share of
    `replicates`, 0..1, trains a leading graph again, in the second half where `trials` is known, and a tenth of the
    others is random. Spaces of up to 300,000 assignments are looked at
    whole; of larger ones the neighbours of the leaders, and random graphs; with k above 5 there is no model, only
    these.

    TypeError for what is no number or no name; ValueError for what is out of range; GraphError for unknown gates, k or
    discriminators.
    """

    def __init__(
        self,
        k: int | None = 3,
        gates: Sequence[str | Gate] = PAPER_GATES,
        seed: int | None = 0,
        *,
        discriminators: int = 1,
        trials: int | None = None,
        startup_trials: int = USUAL.startup_trials,
        replicates: float = USUAL.replicates,
        scores: str = "is_mean",
    ) -> None:
        numbers = {"discriminators": discriminators, "startup_trials": startup_trials}
        optional = {"k": k, "seed": seed, "trials": trials}
        for name, value in {**numbers, **{name: one for name, one in optional.items() if one is not None}}.items():
            _require_kind(name, value, Integral, "a whole number")
        _require_kind("replicates", replicates, Real, "a number")
        _require_kind("scores", scores, str, "an attribute's name")
        if seed is not None and seed < 0:
            raise ValueError(f"seed is {seed}; it is at least 0, or None for another one each time")
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
        self._lock = threading.Lock()
        self._given: dict[tuple[str, int], dict[str, Any]] = {}
        """What was proposed for trials, by study and number, whose parameters the study may not have yet when another
        thread asks."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    @staticmethod
    def _entropy() -> int:
        return int(np.random.SeedSequence().generate_state(1)[0])

    def reseed_rng(self) -> None:
        """Another seed for what is sampled at random: Optuna asks for it in each of several threads.

        Graphs need none: trials have different numbers, and so different luck.
        """
        self._independent.reseed_rng()

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The edges, as the latest trial that has all its parameters was asked for them; nothing if for others."""
        graph_trials.single_objective(study)
        others = study.get_trials(deepcopy=False)
        asked = [other for other in reversed(others) if other.params and other.number != trial.number]
        # One that runs or has failed may have been asked for some of its parameters only.
        whole = [other for other in asked if other.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        for other in whole[:1] or asked:
            space = graph_trials.found_space(other.distributions)
            if space is not None and self._space in (None, space):
                return dict(other.distributions)
        return {}

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
            unfinished = {other.number for other in others if other.state == TrialState.RUNNING}
            name = study.study_name
            self._given = {key: given for key, given in self._given.items() if key[0] != name or key[1] in unfinished}
            seen = graph_trials.seen(
                (other for other in others if other.number != trial.number),
                space,
                search_space,
                study.direction,
                self._attribute,
                {number: given for (other, number), given in self._given.items() if other == name},
            )
            random = np.random.default_rng([self._seed, trial.number % 2**32])
            codes = propose(seen, self._plan, random)
            gates = [gate.name for gate in space.gates]
            chosen = {edge.name: gates[code] for edge, code in zip(space.roster.edges, codes, strict=True)}
            self._given[name, trial.number] = chosen
        return chosen

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        graph_trials.single_objective(study)
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def _require_kind(name: str, value: Any, kind: type, words: str) -> None:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} is {value!r}; it is {words}")
