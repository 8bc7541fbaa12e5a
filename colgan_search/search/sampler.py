"""Optuna's samplers by name. A new one for every ask, seeded by the slot, so that no two workers share a seed."""

import warnings
from collections.abc import Callable

import optuna
from optuna.samplers import BaseSampler

from colgan_search.config import SearchSettings
from colgan_search.seeds import derive_seed


def make_sampler(settings: SearchSettings, study_seed: int, slot: int) -> BaseSampler:
    """The sampler `settings.sampler` names (tpe, random, gp or nsgaii), for the proposal of one slot."""
    seed = derive_seed(study_seed, "sampler", slot) % 2**32
    makers: dict[str, Callable[[], BaseSampler]] = {
        # Optuna 5's defaults: multivariate, with constant liar for the trials that others are running.
        "tpe": lambda: optuna.samplers.TPESampler(n_startup_trials=settings.startup_trials, seed=seed),
        "random": lambda: optuna.samplers.RandomSampler(seed=seed),
        "gp": lambda: optuna.samplers.GPSampler(n_startup_trials=settings.startup_trials, seed=seed),
        "nsgaii": lambda: optuna.samplers.NSGAIISampler(seed=seed),
        # Never asked: every proposal of `repeat` is a named graph (see `propose`).
        "repeat": lambda: optuna.samplers.RandomSampler(seed=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return makers[settings.sampler]()
