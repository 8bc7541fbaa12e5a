"""When a training is ended early: successive halving (ASHA), Hyperband or the median rule, on interim scores."""

from typing import Literal

from pydantic import Field, model_validator

from colgan_search.extensions.section import Section


class PruningSettings(Section):
    """Off unless a method is named. A graph's interim score half-way says little of the good ones: gates ramp late."""

    method: Literal["none", "asha", "hyperband", "median"] = Field(
        "none",
        description="none; asha = successive halving as each training comes to a rung; hyperband = several of these, "
        "that begin early and late; median = worse than half of the complete trials at this point",
    )
    earliest: float = Field(
        0.25, ge=0.0, lt=1.0, description="part of the training before which no graph is cut; the first rung"
    )
    earliest_with_ramps: float = Field(
        0.5, ge=0.0, lt=1.0, description="the same for graphs with a gate that changes in training (a linear one)"
    )
    finish_anyway: float = Field(
        0.1,
        ge=0.0,
        le=1.0,
        description="share of the trials that would be cut, drawn by their seeds, that is trained to the end all the "
        "same, so that wrong cuts are seen",
    )
    reduction_factor: int = Field(2, ge=2, le=100, description="asha, hyperband: one in so many passes a rung")
    startup_trials: int = Field(5, ge=0, le=10_000_000, description="complete trials before the first cut")

    @model_validator(mode="after")
    def _ramps_come_later(self) -> "PruningSettings":
        if self.earliest_with_ramps < self.earliest:
            raise ValueError(
                f"earliest_with_ramps {self.earliest_with_ramps} is before earliest {self.earliest}; "
                "graphs whose gates ramp need longer, not less"
            )
        return self

    @property
    def on(self) -> bool:
        """True if trainings may be cut."""
        return self.method != "none"

    def problem(self, epochs: int, every: int | None) -> str | None:
        """Why trainings of so many epochs, scored every so many, cannot be cut so; None if they can."""
        if not self.on:
            return None
        if every is None:
            return f"pruning.method: {self.method} needs evaluation.every_epochs: how often a training is scored"
        last = (epochs - 1) // every * every
        if last < self.earliest * epochs or last == 0:
            return (
                f"pruning.earliest: {self.earliest} of {epochs} epochs comes after the last interim "
                f"score (epoch {last}, every {every}); lower pruning.earliest or evaluation.every_epochs"
            )
        return None
