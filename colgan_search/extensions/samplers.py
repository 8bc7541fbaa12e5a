"""Samplers: who proposes the graphs. Built in: `graph`, Optuna's `tpe`, `random`, `gp` and `nsgaii`, and `repeat`."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry


class Sampler(ABC):
    """One way to propose graphs. `settings` below are a config's `search`; its own are `search.sampler_settings`."""

    name: ClassVar[str]
    settings: ClassVar[type[Section]] = Section
    learns: ClassVar[bool] = True
    """False = it proposes without a look at the trials that there are."""
    learns_from: ClassVar[int | None] = None
    """Of more finished trials than this it is shown the best and the latest; None = all."""
    sees_all: ClassVar[bool] = False
    """True = it is asked for whole graphs from the first trial on, and is shown all scores, and failed trials."""
    proposes: ClassVar[bool] = True
    """False = it is never asked: the graphs of `search.first` are trained in turn, again and again."""

    @abstractmethod
    def make(self, settings: Any, seed: int) -> Any:
        """The `optuna.samplers.BaseSampler` for one proposal. `seed`, in [0, 2**32), is this proposal's alone.

        The study's direction is in the Optuna study that it is given.
        """


SAMPLERS: Registry[Sampler] = Registry(
    "sampler",
    "colgan_search.samplers",
    Sampler,  # type: ignore[type-abstract]
    {
        name: f"colgan_search.search.proposing.samplers:{name.upper()}"
        for name in ("graph", "tpe", "random", "gp", "nsgaii", "repeat")
    },
)
