"""The `race` sampler of `confirm`: which of the leading graphs gets the next seed (see `racing.rules`)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from colgan_search.errors import GraphError
from colgan_search.extensions.samplers import Sampler
from colgan_search.extensions.section import Section
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.racing.rules import Rules, wanted
from colgan_search.search.study.trial_attributes import ROLE

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

    from colgan_search.config import SearchSettings, StudyConfig
    from colgan_search.symmetry import Extent


class Candidate(Section):
    """A leading graph, and what the search said of it; numbers in the objective's own sense."""

    graph: str = Field(description="in text form")
    estimate: float = Field(description="the search's estimate of its value")
    sd: float | None = Field(None, description="how sure the estimate is")
    runs: int = Field(1, ge=1, description="runs behind the estimate")
    luckiest: float = Field(description="its best single run, the paper's way")


class Baseline(Section):
    """A graph that the winner is compared with."""

    name: str
    graph: str = Field(description="in text form")


class RaceSettings(Section):
    """A race: who runs, how often, and when it is decided."""

    study: str = Field(description="the study whose leading graphs these are")
    trials: int = Field(ge=1, description="its complete trials then")
    epochs: int = Field(ge=1, description="of its trainings")
    candidates: tuple[Candidate, ...] = Field(min_length=1, description="the leading graphs, the best first")
    baselines: tuple[Baseline, ...] = Field((), description="graphs that run beside them")
    seeds: int = Field(10, ge=2, le=10_000, description="own runs of the winner, and of each baseline")
    until: float = Field(0.95, gt=0.5, lt=1.0, description="the race ends when the leader is best so probably")
    least: int = Field(2, ge=2, le=100, description="runs of every candidate before the duel")

    @model_validator(mode="after")
    def _graphs_can_be_read(self) -> "RaceSettings":
        texts = [*(one.graph for one in self.candidates), *(one.graph for one in self.baselines)]
        try:
            read = [KnowledgeTransferGraph.from_text(text).to_text() for text in texts]
        except GraphError as error:
            raise ValueError(str(error)) from None
        if read != texts:
            raise ValueError("graphs are in the text form that the program writes, e.g. G1=D:t,G2:p/G2=D:t")
        graphs, names = texts[: len(self.candidates)], [one.name for one in self.baselines]
        if len(set(graphs)) != len(graphs) or len(set(names)) != len(names):
            raise ValueError("a graph or a baseline stands twice")
        return self

    @property
    def rules(self) -> Rules:
        """The race."""
        return Rules(
            candidates=tuple(one.graph for one in self.candidates),
            baselines=tuple(one.graph for one in self.baselines),
            seeds=self.seeds,
            until=self.until,
            least=self.least,
        )


class Race(Sampler):
    """Decides by what the runs so far say which graph runs next, and whether there are enough."""

    name = "race"
    settings = RaceSettings
    learns = searches = False
    """It needs no search space found for it."""
    reads = (ROLE,)
    lengths = frozenset({"seeds", "until"})
    ends_early = True

    def make(self, settings: "SearchSettings", seed: int) -> "BaseSampler":
        """Of the race's rules."""
        from colgan_search.search.proposing.race_sampler import RaceSampler

        return RaceSampler(race_settings(settings).rules, settings.gates, seed)

    def enough(self, settings: "SearchSettings", trials: Sequence["FrozenTrial"]) -> int | None:
        """The race's own runs, and those of anybody who enqueued some."""
        from colgan_search.search.proposing.race_sampler import runs_of_trials

        runs = runs_of_trials(trials, higher_is_better=True)  # who leads does not matter to their number
        return wanted(race_settings(settings).rules, runs) + len(trials) - len(runs)

    def buys(self, settings: "SearchSettings", space: "Extent", trials: int) -> str:
        """Runs of the candidates and the baselines."""
        race = race_settings(settings)
        beside = f" and {len(race.baselines)} baselines" if race.baselines else ""
        graphs = f"{len(race.candidates)} graphs" if len(race.candidates) > 1 else "1 graph"
        return f"at most {trials:,} trials: a race of {graphs}{beside}"


RACE = Race()


def race_settings(settings: "SearchSettings") -> RaceSettings:
    """The settings of a race. TypeError for those of another sampler."""
    if not isinstance(settings.sampler_settings, RaceSettings):
        raise TypeError(f"the sampler is {settings.sampler}, not race")
    return settings.sampler_settings


def is_race(config: "StudyConfig") -> bool:
    """True for the config of a study that `confirm` has made."""
    return isinstance(config.search.sampler_settings, RaceSettings)
