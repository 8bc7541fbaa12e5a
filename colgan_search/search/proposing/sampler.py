"""Samplers by name. A new one for every ask, seeded by the slot, so that no two workers share a seed."""

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from colgan_search.config import SearchSettings
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.seeds import derive_seed


class FixedSpace(BaseSampler):
    """Another sampler, told what the study's space is: by itself it would look through all finished trials for it."""

    def __init__(self, sampler: BaseSampler, space: dict[str, BaseDistribution], from_first: bool = False) -> None:
        self.sampler, self.from_first = sampler, from_first
        # In the order in which Optuna would find it, which is also that of the random numbers.
        self.space = {name: space[name] for name in sorted(space)}

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The study's space, as soon as a trial of it is complete, or from the first one on."""
        if self.from_first:
            return self.space
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return self.space if complete else {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The other's."""
        return self.sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """The other's."""
        return self.sampler.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """The other's."""
        self.sampler.reseed_rng()

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """The other's."""
        self.sampler.before_trial(study, trial)

    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """The other's."""
        self.sampler.after_trial(study, trial, state, values)


def sampler_seed(study_seed: int, slot: int) -> int:
    """The seed of a slot's proposal, in [0, 2**32)."""
    return derive_seed(study_seed, "sampler", slot) % 2**32


def make_sampler(
    settings: SearchSettings, study_seed: int, slot: int, space: dict[str, BaseDistribution]
) -> BaseSampler:
    """The sampler that `settings.sampler` names, for the proposal of one slot in `space`."""
    member = SAMPLERS.get(settings.sampler)
    sampler = member.make(settings, sampler_seed(study_seed, slot))
    return FixedSpace(sampler, space, member.sees_all) if member.learns else sampler
