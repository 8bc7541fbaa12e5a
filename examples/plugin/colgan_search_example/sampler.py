"""A sampler: `neighbours` changes a few gates of the best graph so far."""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from colgan_search.extensions.samplers import Sampler
from colgan_search.extensions.section import Section

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class NeighboursSettings(Section):
    """How far away."""

    change: int = Field(1, ge=1, description="gates that are changed")


class Neighbours(Sampler):
    """Hill climbing, as an Optuna sampler."""

    name = "neighbours"
    settings = NeighboursSettings

    def make(self, settings: Any, seed: int) -> "BaseSampler":
        """See `Sampler.make`."""
        import optuna
        from optuna.trial import TrialState

        chance = random.Random(seed)
        change = settings.sampler_settings.change

        class Climber(optuna.samplers.BaseSampler):
            def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
                return {}

            def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
                return {}

            def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
                done: Sequence[Any] = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
                known = [t for t in done if name in t.params]
                best = (min if study.direction.name == "MINIMIZE" else max)(known, key=lambda t: t.value, default=None)
                if best is None or chance.random() < change / max(len(best.params), 1):
                    return chance.choice(distribution.choices)
                return best.params[name]

        return Climber()


NEIGHBOURS = Neighbours()
