"""The `search` section of a study config: what is sampled, by whom, and how much of it."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.extensions.section import Section, known_name, settings_of
from colgan_search.gates import PAPER_GATES, Gate


class SearchSettings(Section):
    """What Optuna samples, and how many results the study has (section 4.1; gates: 4.3 and 4.4)."""

    gates: tuple[Gate, ...] = Field(PAPER_GATES, description="the gates that an edge may carry")
    trials: int = Field(1500, ge=1, le=10_000_000, description="total results of the study")
    objective: str = Field(
        "is",
        description="the metric whose best value over the generators is a graph's value; is = the paper's maximum IS",
    )
    sampler: Annotated[str, AfterValidator(known_name(SAMPLERS))] = Field(
        "graph",
        description="who proposes graphs: graph (a model of graphs up to relabelling), tpe, random, gp, nsgaii; "
        "repeat = the graphs of `first` in turn, every trial with its own seed; race = the confirmation of a search",
    )
    sampler_settings: Annotated[SerializeAsAny[Section], BeforeValidator(settings_of(SAMPLERS, "sampler"))] = Field(
        Section(), validate_default=True, description="settings of the sampler's own, if it has any"
    )
    startup_trials: int = Field(
        10,
        ge=1,
        description="trials before graph, tpe and gp begin to model; with graph unlike each other",
    )
    first: tuple[str, ...] = Field((), description="presets or graphs in text form that are tried first")

    @model_validator(mode="after")
    def _repeat_needs_graphs(self) -> "SearchSettings":
        if not SAMPLERS.get(self.sampler).proposes and not self.first:
            raise ValueError(f"sampler {self.sampler} needs first: the graphs to train again and again, e.g. [mad-gan]")
        return self

    @field_validator("gates")
    @classmethod
    def _gates_distinct(cls, gates: tuple[Gate, ...]) -> tuple[Gate, ...]:
        if len(gates) < 2 or len(set(gates)) != len(gates):
            raise ValueError("gates needs at least two different gates, e.g. [through, cutoff]")
        return tuple(sorted(gates, key=lambda gate: gate.order))
