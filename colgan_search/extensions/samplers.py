"""Samplers: who proposes the graphs. Built in: `graph`, Optuna's `tpe`, `random`, `gp`, `nsgaii`; `repeat`, `race`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry

if TYPE_CHECKING:
    from colgan_search.symmetry import Extent


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
    searches: ClassVar[bool] = True
    """False = its study is no search whose leading graphs anybody would confirm."""
    reads: ClassVar[tuple[str, ...]] = ()
    """User attributes of the trials that it is shown with them."""
    lengths: ClassVar[frozenset[str]] = frozenset()
    """Settings of its own that say how long a study is, not what it is: no part of the fingerprint."""
    ends_early: ClassVar[bool] = False
    """True = `enough` is asked before every claim."""

    @abstractmethod
    def make(self, settings: Any, seed: int) -> Any:
        """The `optuna.samplers.BaseSampler` for one proposal. `seed`, in [0, 2**32), is this proposal's alone.

        `settings.trials` is the study's total as it is now, with the trials that were taken over from other studies.

        The study's direction is in the Optuna study that it is given.
        """

    def enough(self, settings: Any, trials: Sequence[Any]) -> int | None:
        """How many results the study needs after these `optuna.trial.FrozenTrial`s, complete and running ones.

        None = its total.

        The total is lowered to it, though never below what has been begun.
        """
        return None

    def buys(self, settings: Any, space: "Extent", trials: int) -> str:
        """What so many trials of a study are spent on, in words."""
        return space.at_most(trials)


SAMPLERS: Registry[Sampler] = Registry(
    "sampler",
    "colgan_search.samplers",
    Sampler,  # type: ignore[type-abstract]
    {
        name: f"colgan_search.search.proposing.samplers:{name.upper()}"
        for name in ("graph", "tpe", "random", "gp", "nsgaii", "repeat")
    }
    | {"race": "colgan_search.search.proposing.race:RACE"},
)
