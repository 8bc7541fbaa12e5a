"""Plain records that travel between the floors: what a trial reports while it runs, and what it ends with."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_serializer, model_validator


class Record(BaseModel):
    """Frozen, closed, JSON both ways (`model_dump_json`, `model_validate_json`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Protocol(Record):
    """How a score was measured: two scores are comparable exactly when `differences` of their protocols is empty."""

    extractor: str = Field(description="the extractor's name: `inception`, `classifier`")
    weights_digest: str = Field(description="first 16 hexadecimal digits of the SHA-256 of the extractor's weights")
    resolution: int = Field(description="height and width of the scored images, pixels")
    channels: int = Field(description="1 or 3, before the extractor's own conversion")
    images: int = Field(description="generated images per generator")
    splits: int = Field(description="splits of the inception score")
    reference: str | None = Field(
        description="`name:count:digest` of the real images that metrics compare with; None if none does"
    )
    metrics: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="metrics beside IS and FID -> their settings, and the package they are of"
    )
    dtype: str | None = Field(None, description="the extractor's numbers: float32; None = not recorded")
    tf32: bool | None = Field(
        None, description="whether a GPU could round factors to TensorFloat-32 in the extractor; None = not recorded"
    )
    batch: int | None = Field(
        None, description="images per pass through the extractor, whose features change with it; None = not recorded"
    )


STAMPS = ("dtype", "tf32", "batch")
"""Fields that protocols did not have at first: where one of two has no such record, nothing speaks against it."""


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Field -> ours and theirs where two protocols (`Protocol.model_dump()`) are not comparable; empty if they are."""
    both = {key: (ours.get(key), theirs.get(key)) for key in {**ours, **theirs}}
    return {key: (a, b) for key, (a, b) in both.items() if a != b and not (key in STAMPS and (a is None or b is None))}


def comparable(ours: Protocol, theirs: Protocol) -> bool:
    """True if scores that were measured in these two ways may stand side by side."""
    return not differences(ours.model_dump(), theirs.model_dump())


NumberName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,99}$")]
"""What a metric measures: `is_mean`, `fid`."""


class Objective(Record):
    """What a search looks for: one number of one metric, as high or as low as it goes."""

    metric: str = "is"
    number: NumberName = "is_mean"
    label: str = "IS"
    higher_is_better: bool = True
    worst: float = Field(1.0, allow_inf_nan=False, description="the value of a run that diverged")

    @property
    def words(self) -> str:
        """`max IS`, `min FID`."""
        return f"{'max' if self.higher_is_better else 'min'} {self.label}"

    def rank(self, value: float) -> float:
        """Sorts the best value first."""
        return -value if self.higher_is_better else value

    def best(self, values: Iterable[float]) -> float:
        """The highest, or the lowest."""
        return max(values) if self.higher_is_better else min(values)

    def better(self, value: float, than: float) -> bool:
        """True if `value` is better than the other one, not equal to it."""
        return self.rank(value) < self.rank(than)


MAX_IS = Objective()
"""The paper's (section 4.1)."""


def score_text(value: float, decimals: int = 2) -> str:
    """A score with so many decimals, or below 0.1, as KID is, with as many significant digits."""
    return f"{value:.{decimals}{'f' if value == 0 or abs(value) >= 0.1 else 'g'}}"


class GeneratorScore(Record):
    """One generator's scores by name: the one form in which scores are kept and travel.

    `is_mean` lies in [1, number of classes], `is_std` is over the splits, not over training seeds; `fid` >= 0, lower
    is better. The others are what further metrics measure.
    """

    metrics: dict[NumberName, Annotated[float, Field(allow_inf_nan=False)]]

    @model_validator(mode="after")
    def _has_inception_score(self) -> "GeneratorScore":
        if not {"is_mean", "is_std"} <= set(self.metrics):
            raise ValueError("the inception score, is_mean and is_std, is missing")
        return self

    @property
    def is_mean(self) -> float:
        """The inception score: the mean over the splits."""
        return self.metrics["is_mean"]

    @property
    def is_std(self) -> float:
        """Its standard deviation over the splits."""
        return self.metrics["is_std"]

    @property
    def fid(self) -> float | None:
        """FID; None if it was not measured."""
        return self.metrics.get("fid")


class Scores(Record):
    """The scores of all generators G1..Gk under one protocol."""

    generators: tuple[GeneratorScore, ...] = Field(min_length=1)
    protocol: Protocol
    objective: Objective = MAX_IS

    @model_validator(mode="after")
    def _all_are_measured_alike(self) -> "Scores":
        names = {frozenset(score.metrics) for score in self.generators}
        if len(names) > 1:
            raise ValueError("the generators have not the same numbers")
        if self.objective.number not in self.generators[0].metrics:
            raise ValueError(f"the objective's number, {self.objective.number}, is missing")
        return self

    def of(self, number: str) -> tuple[float, ...] | None:
        """That number of G1..Gk; None if it was not measured."""
        if number not in self.generators[0].metrics:
            return None
        return tuple(score.metrics[number] for score in self.generators)

    @property
    def best_generator(self) -> int:
        """The number (1..k) of the best generator by the objective: that of the maximum IS; the lowest among equals."""
        values = [score.metrics[self.objective.number] for score in self.generators]
        return values.index(self.value) + 1

    @property
    def value(self) -> float:
        """The value of the graph, its best generator's: the maximum IS (section 4.1), or another objective."""
        return self.objective.best(score.metrics[self.objective.number] for score in self.generators)

    def arrays(self) -> dict[str, list[float | None]]:
        """Name -> numbers of G1..Gk, `is_mean`, `is_std` and `fid` in any case: flat, for who reads no records."""
        names = dict.fromkeys(["is_mean", "is_std", "fid", *self.generators[0].metrics])
        return {name: [score.metrics.get(name) for score in self.generators] for name in names}


class EpochScores(Record):
    """Scores of one moment of a training."""

    epoch: int = Field(description="epochs finished, 1..E")
    scores: Scores


class Cut(Record):
    """Where a pruner ended a training, or would have ended it."""

    evaluation: int = Field(ge=1, le=2**31 - 1, description="number of the interim evaluation, from 1")
    epoch: int = Field(ge=1, le=2**31 - 1, description="epochs finished then")


class Progress(Record):
    """What a training tells its observer: often without scores, after an evaluation with them."""

    epoch: int = Field(description="epochs finished, 0..E")
    epochs: int
    iteration: int = Field(description="iterations finished, 0..T")
    iterations: int
    scores: Scores | None = None
    evaluation: int | None = Field(None, description="number of this evaluation, from 1; None without scores")


class Outcome(Record):
    """The result of one graph trained and scored once."""

    graph: str = Field(description="the graph's text form")
    seed: int
    value: float = Field(
        description="of the objective: the maximum IS; its worst, 1.0, if the run diverged; the best interim one, no "
        "final score, if it was cut"
    )
    scores: Scores | None = Field(
        description="of the weights that count (evaluation.point); None if it diverged or was cut"
    )
    variants: dict[str, Scores] = Field(
        default_factory=dict,
        description="full scores by weights: `last` (the end), `best` (each generator's best interim moment, with "
        "point: best), `last-ema` (the moving average at the end, with training.ema)",
    )
    fresh: GeneratorScore | None = Field(
        None,
        description="with evaluation.fresh_images, the best generator's score on images that had no say in the choice; "
        "the value is this one's",
    )
    best_epochs: tuple[int, ...] | None = Field(
        None, description="per generator, the epoch of its highest interim score; None if that was not looked for"
    )
    history: tuple[EpochScores, ...] = ()
    diverged: str | None = Field(None, description="what was not finite and when; None for a healthy run")
    cut: Cut | None = Field(None, description="where a pruner ended it; None if it was trained to its end")
    iterations: int
    seconds: float = Field(description="wall-clock seconds of training and scoring, all attempts together")
    device: str
    classifier_accuracy: float | None = Field(
        None,
        description="held-out accuracy, 0..1, of the classifier that scored (its digest is in the protocol); None with "
        "another extractor, or not recorded",
    )
    fast_path_off: str | None = Field(
        None,
        description="why not all of runtime.fast was used on a GPU: the worker's self-check refused it, or only CUDA "
        "graphs, or the training could not be recorded as one; None where nothing was refused",
    )

    @field_serializer("seed", when_used="json")
    def _seed_as_text(self, seed: int) -> str:
        """Many readers of JSON round whole numbers beyond 2**53; numbers are read as well."""
        return str(seed)


def best_run(outcomes: Mapping[int, Outcome]) -> int:
    """The key of the outcome with the best value; the first among equals. All are of one objective."""
    objective = next((outcome.scores.objective for outcome in outcomes.values() if outcome.scores), MAX_IS)
    return min(outcomes, key=lambda key: objective.rank(outcomes[key].value))


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]
