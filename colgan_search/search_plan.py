"""How a search by the model of graphs goes about it: what its sampler, and a config's settings of it, agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Of one search."""

    startup_trials: int = 10
    """Random graphs before the model begins."""
    replicates: float = 0.15
    """Share of the trials after these, 0..1, that train a leading graph once more."""
    trials: int | None = None
    """The study's total. If it buys every graph, each is trained once before any is trained again."""


USUAL = Plan()
