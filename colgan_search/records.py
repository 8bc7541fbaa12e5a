"""Plain records that travel between the floors: what a trial reports while it runs, and what it ends with."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, field_serializer


class Record(BaseModel):
    """Frozen, closed, JSON both ways (`model_dump_json`, `model_validate_json`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Protocol(Record):
    """How a score was measured: two scores are comparable exactly when their protocols are equal."""

    extractor: str = Field(description="`inception` or `classifier`")
    weights_digest: str = Field(description="first 16 hexadecimal digits of the SHA-256 of the extractor's weights")
    resolution: int = Field(description="height and width of the scored images, pixels")
    channels: int = Field(description="1 or 3, before the extractor's own conversion")
    images: int = Field(description="generated images per generator")
    splits: int = Field(description="splits of the inception score")
    reference: str | None = Field(description="`name:count:digest` of the real images behind FID; None without FID")


class GeneratorScore(Record):
    """One generator's scores. IS lies in [1, number of classes]; FID >= 0, lower is better."""

    is_mean: float
    is_std: float = Field(description="over the splits, not over training seeds")
    fid: float | None = None


class Scores(Record):
    """The scores of all generators G1..Gk under one protocol."""

    generators: tuple[GeneratorScore, ...]
    protocol: Protocol

    @property
    def best_generator(self) -> int:
        """The number (1..k) of the generator with the maximum IS; the lowest number among equals."""
        values = [score.is_mean for score in self.generators]
        return values.index(max(values)) + 1

    @property
    def value(self) -> float:
        """The value of the graph: the maximum IS over its generators (section 4.1)."""
        return max(score.is_mean for score in self.generators)


class EpochScores(Record):
    """Scores of one moment of a training."""

    epoch: int = Field(description="epochs finished, 1..E")
    scores: Scores


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
    value: float = Field(description="maximum IS; 1.0 if the run diverged")
    scores: Scores | None = Field(description="of the weights that count (evaluation.point); None if it diverged")
    variants: dict[str, Scores] = Field(
        default_factory=dict,
        description="full scores by weights: `last` (the end), `best` (each generator's best interim moment, with "
        "point: best), `last-ema` (the moving average at the end, with training.ema)",
    )
    best_epochs: tuple[int, ...] | None = Field(
        None, description="per generator, the epoch of its highest interim score; None if that was not looked for"
    )
    history: tuple[EpochScores, ...] = ()
    diverged: str | None = Field(None, description="what was not finite and when; None for a healthy run")
    iterations: int
    seconds: float = Field(description="wall-clock seconds of training and scoring, all attempts together")
    device: str
    classifier_accuracy: float | None = Field(
        None,
        description="held-out accuracy, 0..1, of the classifier that scored (its digest is in the protocol); None with "
        "another extractor, or not recorded",
    )

    @field_serializer("seed", when_used="json")
    def _seed_as_text(self, seed: int) -> str:
        """Many readers of JSON round whole numbers beyond 2**53; numbers are read as well."""
        return str(seed)


OnProgress = Callable[[Progress], None]
ShouldStop = Callable[[], bool]
