"""The race as one of Optuna's samplers: it reads the trials' roles and gives the next trial its graph and role."""

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.racing.rules import Rules, Run, next_run
from colgan_search.roster import Roster
from colgan_search.search.optuna_private import handles
from colgan_search.search.proposing import space
from colgan_search.search.study.trial_attributes import ROLE


class RaceSampler(BaseSampler):
    """Fixes every parameter of the next trial before it is asked for any."""

    def __init__(self, rules: Rules, gates: Sequence[Gate], seed: int) -> None:
        self.rules = rules
        self.gates = gates
        self.seed = seed
        self._independent = RandomSampler(seed=seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The next run, unless somebody has given the trial its parameters already."""
        if trial.params or "fixed_params" in trial.system_attrs:
            return
        trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING))
        others = [one for one in trials if one.number != trial.number]
        runs = runs_of_trials(others, higher_is_better=study.direction is not StudyDirection.MINIMIZE)
        role, graph = next_run(self.rules, runs, self.seed)
        handles.note(study, trial, ROLE, role)
        handles.fix_params(study, trial, space.params_of(KnowledgeTransferGraph.from_text(graph), self.gates))

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing: all is fixed."""
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Nothing."""
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """At random: only what somebody else's trial has left open."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)


def runs_of_trials(trials: Sequence[FrozenTrial], *, higher_is_better: bool) -> list[Run]:
    """The race's own among these trials, complete and running ones, in their order; larger values are better."""
    found = []
    for trial in trials:
        value = trial.value if trial.state is TrialState.COMPLETE else None
        role = trial.user_attrs.get(ROLE)
        one = None
        if role is not None:
            one = Run.of_trial(_text(trial.params), role, value, higher_is_better=higher_is_better)
        if one is not None:
            found.append(one)
    return found


def _text(params: Mapping[str, Any]) -> str:
    """The graph of a trial's parameters, in text form."""
    nodes = {node for name in params for node in name.split("->")}
    discriminators = sum(node.startswith("D") for node in nodes)
    roster = Roster(sum(node.startswith("G") for node in nodes), discriminators)
    return space.graph_of(params, roster).to_text()
