"""How a search by the model of graphs goes about it: what its sampler, and a config's settings of it, agree on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Of one search."""

    startup_trials: int = 10
    """Graphs, unlike each other, before the model begins."""
    replicates: float = 0.15
    """Share of the trials after these, 0..1, that train a leading graph once more."""
    trials: int | None = None
    """The study's total. If it buys every graph, each is trained once before any is trained again."""

    def replicates_due(self, trials: int) -> float:
        """How many of so many trials should be replicates; below 0 before any is due.

        Where the total is known they wait for its second half (a share above a half: until they just fit): in the
        rehearsals early ones made the named graph no better, and took the place of graphs to learn of.
        """
        after = trials - self.startup_trials
        if self.trials is None or trials >= self.trials:
            return self.replicates * after
        whole = self.trials - self.startup_trials
        before = whole * min(0.5, 1.0 - self.replicates)
        return self.replicates * whole * (after - before) / max(whole - before, 1.0)


USUAL = Plan()
