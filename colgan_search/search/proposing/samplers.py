"""The samplers that are built in (see `extensions.samplers.Sampler`), imported when one is made: ours, Optuna's own."""

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import Field

from colgan_search.extensions.samplers import Sampler
from colgan_search.extensions.section import Section
from colgan_search.search_plan import USUAL

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from colgan_search.config import SearchSettings
    from colgan_search.symmetry import Extent


class GraphSettings(Section):
    """How a search by the model goes about it."""

    replicates: float = Field(
        USUAL.replicates,
        ge=0.0,
        le=1.0,
        description="share of the trials after the first ones that train a leading graph again, in the second half",
    )


class Graph(Sampler):
    """Ours: a model of graphs up to relabelling and of every generator's score."""

    name = "graph"
    settings = GraphSettings
    sees_all = True

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """With `startup_trials`, and the study's total: a budget that buys every graph trains each once first."""
        from colgan_search.extensions.metrics import objective
        from colgan_search.sampling.sampler import GraphSampler

        chosen: Any = settings.sampler_settings
        return GraphSampler(
            None,
            seed=seed,
            trials=settings.trials,
            startup_trials=settings.startup_trials,
            replicates=chosen.replicates,
            scores=objective(settings.objective).number,
        )

    def buys(self, settings: "SearchSettings", space: "Extent", trials: int) -> str:
        """Distinct graphs, and the replicates that are planned."""
        chosen: Any = settings.sampler_settings
        return space.bought(trials, round(chosen.replicates * max(trials - settings.startup_trials, 0)))


class Tpe(Sampler):
    """Optuna 5's defaults: multivariate, with constant liar for the trials that others are running."""

    name = "tpe"
    learns_from = 1500
    """It takes 110 ms for 15,000 trials, and 10 for 1,500."""

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """With `startup_trials`."""
        from optuna.samplers import TPESampler

        return TPESampler(n_startup_trials=settings.startup_trials, seed=seed)


class Random(Sampler):
    """Every gate with the same probability."""

    name = "random"
    learns = False

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """Of the seed alone."""
        from optuna.samplers import RandomSampler

        return RandomSampler(seed=seed)


class Gp(Sampler):
    """A Gaussian process."""

    name = "gp"

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """With `startup_trials`."""
        from optuna.samplers import GPSampler

        return _quietly(lambda: GPSampler(n_startup_trials=settings.startup_trials, seed=seed))


class NsgaIi(Sampler):
    """An evolutionary algorithm."""

    name = "nsgaii"

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """With Optuna's population."""
        from optuna.samplers import NSGAIISampler

        return _quietly(lambda: NSGAIISampler(seed=seed))


class Repeat(Random):
    """Never asked: every proposal is a named graph (see `propose`)."""

    name = "repeat"
    proposes = searches = False

    def buys(self, settings: "SearchSettings", space: "Extent", trials: int) -> str:
        """Replicates alone."""
        entries, graphs = len(settings.first), len(set(settings.first))
        times = f"{trials / entries:,.1f}".removesuffix(".0")
        replicates = f"{times} {'replicate' if times == '1' else 'replicates'}"
        named = f"{trials:,} trials: {entries:,} {'graph' if entries == 1 else 'graphs'} of search.first"
        if graphs < entries:
            return f"{named}, {graphs:,} of them distinct, {replicates} for each time that one is named"
        return f"{named}, {replicates} of {'it' if entries == 1 else 'each'}"


def _quietly(make: "Callable[[], BaseSampler]") -> "BaseSampler":
    """Without Optuna's warning that it is experimental."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make()


GRAPH, TPE, RANDOM, GP, NSGAII, REPEAT = Graph(), Tpe(), Random(), Gp(), NsgaIi(), Repeat()
