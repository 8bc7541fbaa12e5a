"""The study config: one frozen object, every field with its unit and range, unknown keys refused."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SerializeAsAny, field_validator, model_validator

from colgan_search.config.artifacts import ArtifactSettings
from colgan_search.config.pruning import PruningSettings
from colgan_search.config.searching import SearchSettings
from colgan_search.errors import GraphError, PluginError, UnknownMember
from colgan_search.extensions import metrics
from colgan_search.extensions.datasets import DATASETS, DataSettings
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.extensions.fast import FastSettings
from colgan_search.extensions.launchers import LAUNCHERS, LauncherSettings
from colgan_search.extensions.metrics import METRICS, MetricSettings
from colgan_search.extensions.networks import NETWORKS, NetworkSettings
from colgan_search.extensions.section import Section, chosen_by, known_name, settings_of
from colgan_search.extensions.transfers import TRANSFERS, TransferSettings
from colgan_search.presets import resolve
from colgan_search.records import Objective
from colgan_search.roster import MAX_DISCRIMINATORS, MAX_K, Roster

STUDY_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""What a study can be called: its name also names a folder."""


AnyNetwork = Annotated[SerializeAsAny[NetworkSettings], BeforeValidator(chosen_by(NETWORKS, "name", "dcgan"))]
"""A base GAN's settings: those of the member that `name` names."""
AnyData = Annotated[SerializeAsAny[DataSettings], BeforeValidator(chosen_by(DATASETS, "name", None))]
"""A data set's settings: those of the member that `name` names."""
AnyTransfer = Annotated[SerializeAsAny[TransferSettings], BeforeValidator(chosen_by(TRANSFERS, "kind", "features"))]
"""A transfer kind's settings: those of the member that `kind` names."""
AnyLauncher = Annotated[SerializeAsAny[LauncherSettings], BeforeValidator(chosen_by(LAUNCHERS, "kind", "local"))]
"""A launcher's settings: those of the member that `on` names."""


def _metric_by_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


AnyMetric = Annotated[
    SerializeAsAny[MetricSettings], BeforeValidator(chosen_by(METRICS, "name", None)), BeforeValidator(_metric_by_name)
]
"""A metric's settings, or its name alone."""


class TrainingSettings(Section):
    """One training run (sections 3.3 and 4). Adam's settings are our reading: DCGAN's published ones."""

    epochs: int = Field(50, ge=1, le=100_000, description="passes over the real images")
    batch: int = Field(256, ge=2, le=65_536, description="images per batch; an incomplete last one is dropped")
    learning_rate: float = Field(2e-4, gt=0.0, le=1.0, description="Adam, all networks")
    betas: tuple[Annotated[float, Field(ge=0.0, lt=1.0)], Annotated[float, Field(ge=0.0, lt=1.0)]] = Field(
        (0.5, 0.999), description="Adam's decays of the gradient's mean and of its square"
    )
    discriminator_steps: Literal["per_generator", "per_batch", "joint"] = Field(
        "per_generator",
        description="optimizer steps of an iteration: k, each on a real and a generated batch together (our reading); "
        "2k, after each real and again after each generated batch (steps 1 and 2 to the letter); one on the whole sum",
    )
    real_batches: Literal["shared", "fresh"] = Field(
        "shared",
        description="one real batch for all k turns of the discriminator (our reading), or a fresh one for each turn, "
        "with k times fewer iterations in an epoch",
    )
    ema: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="decay per iteration of the generators' moving average, scored at the end beside them; null = none",
    )
    ramp: Literal["iteration", "epoch"] = Field(
        "iteration", description="unit in which linear gates progress (our reading)"
    )
    tf32: bool = Field(
        True,
        description="on a GPU, convolutions of training and scoring may round their factors to TensorFloat-32, as "
        "PyTorch's usual is; false = float32",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="in which the networks of a training compute; with bfloat16 (PyTorch's autocast) losses, spectral "
        "norm, weights and Adam stay in float32",
    )


class EvaluationSettings(Section):
    """How generators are scored (section 4.1): inception score (IS) and Fréchet inception distance (FID)."""

    extractor: Annotated[str, AfterValidator(known_name(EXTRACTORS))] = Field(
        "inception", description="who turns images into features and logits: inception, classifier"
    )
    extractor_settings: Annotated[SerializeAsAny[Section], BeforeValidator(settings_of(EXTRACTORS, "extractor"))] = (
        Field(Section(), validate_default=True, description="settings of the extractor's own, if it has any")
    )
    weights: str | None = Field(None, description="file of Inception weights; null = the cache, or its download")
    images: int = Field(50_000, ge=2, le=10_000_000, description="generated images per generator at the end")
    splits: int = Field(10, ge=1, le=1000, description="splits of the inception score at the end")
    batch: int = Field(256, ge=1, le=65_536, description="images per pass through generator and extractor")
    point: Literal["last", "best"] = Field(
        "last",
        description="weights that count: at the end (sections 4.3, 4.4), or where the generator's interim score was "
        "highest (4.2)",
    )
    fresh_images: bool = Field(
        False,
        description="score the generator that is chosen as the best of k once more, on images that had no say in the "
        "choice, and take that for the trial's value; false = the maximum itself, as in the paper",
    )
    fid: bool = Field(True, description="compute FID against the real training images as well")
    metrics: tuple[AnyMetric, ...] = Field(
        (), description="metrics beside IS and FID, e.g. [kid, precision, recall], or {name: kid, subsets: 50}"
    )
    every_epochs: int | None = Field(
        None, ge=1, description="score during training every so many epochs; null = only at the end"
    )
    interim_images: int = Field(5000, ge=2, le=10_000_000, description="images per generator during training, 1 split")
    classifier_epochs: int = Field(20, ge=1, le=1000, description="epochs of the classifier extractor's own training")

    @field_validator("metrics")
    @classmethod
    def _metrics_distinct(cls, chosen: tuple[MetricSettings, ...]) -> tuple[MetricSettings, ...]:
        names = [settings.name for settings in chosen]
        if "is" in names or "fid" in names:
            raise ValueError("the inception score is always measured, and FID is asked for with fid: true")
        numbers: list[str] = []
        for name in names:
            try:
                numbers += metrics.get_metric(name).numbers
            except PluginError as error:
                raise ValueError(str(error)) from None
        if len(set(names)) != len(names) or len(set(numbers)) != len(numbers):
            raise ValueError("metrics has a metric twice, or two that call a number alike")
        return chosen

    @model_validator(mode="after")
    def _splits_fit_images(self) -> "EvaluationSettings":
        if self.splits > self.images:
            raise ValueError(f"splits {self.splits} exceeds images {self.images}")
        if self.point == "best" and self.every_epochs is None:
            raise ValueError("point best needs every_epochs: how often generators are scored on the way")
        return self


class RuntimeSettings(Section):
    """Where a worker computes. Not part of the fingerprint."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto = a GPU if there is one")
    threads: int = Field(1, ge=1, le=256, description="CPU threads of one worker")
    deterministic: bool = Field(False, description="CUDA's deterministic algorithms: same bits, slower")
    keep_best: int = Field(10, ge=0, le=10_000_000, description="trials whose generators stay on this machine's disk")
    checkpoint_minutes: float = Field(10.0, gt=0.0, le=1440.0, description="between checkpoints of a training")
    fast: FastSettings = Field(FastSettings(), description="ways of training faster, equal but for rounding")


class ServiceSettings(Section):
    """Leases and faults of the search service. Not part of the fingerprint."""

    lease_seconds: float = Field(
        90.0, ge=1.0, le=86_400.0, description="a slot is taken over after so long without renewal"
    )
    outage_minutes: float = Field(30.0, gt=0.0, le=10_080.0, description="how long the database may be away")
    hang_minutes: float = Field(
        60.0, gt=0.0, le=10_080.0, description="a trial without any progress for so long is given back"
    )
    max_faults: int = Field(
        3, ge=1, le=100, description="faults in a row that stop a worker; workers that a graph may fault on"
    )
    max_vanished: int = Field(
        10, ge=1, le=10_000, description="workers that may be killed over a graph without any progress of it"
    )


class StudyConfig(Section):
    """Everything that a study is. `fingerprint` (see `config.fingerprint`) names what changes results."""

    name: str = Field(
        pattern=STUDY_NAME,
        description="the study's name: letters, digits, '.', '_' and '-'; it also names a folder",
    )
    k: int = Field(3, ge=1, le=MAX_K, description="number of generators")
    discriminators: int = Field(1, ge=1, le=MAX_DISCRIMINATORS, description="number of discriminators, m")
    seed: int = Field(0, ge=0, lt=2**63, description="every other seed follows from it")
    data: AnyData
    network: AnyNetwork = Field(default_factory=lambda: NETWORKS.get("dcgan").settings(name="dcgan"))
    transfer: AnyTransfer
    discriminator_transfer: AnyTransfer | None = Field(
        None, description="the loss of an edge among several discriminators"
    )
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    search: SearchSettings = SearchSettings()
    pruning: PruningSettings = PruningSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    service: ServiceSettings = ServiceSettings()
    cluster: AnyLauncher = LauncherSettings()
    artifacts: ArtifactSettings = ArtifactSettings()

    @property
    def roster(self) -> Roster:
        """The nodes of the study's graphs."""
        return Roster(self.k, self.discriminators)

    @property
    def objective(self) -> Objective:
        """What the search aims at."""
        return metrics.objective(self.search.objective)

    @model_validator(mode="after")
    def _objective_is_measured(self) -> "StudyConfig":
        name = self.search.objective
        try:
            metrics.get_metric(name)
        except (UnknownMember, PluginError) as error:
            raise ValueError(f"search.objective: {error}") from None
        if name == "fid" and not self.evaluation.fid:
            raise ValueError("search.objective: fid needs evaluation.fid: true")
        if name not in ("is", "fid", *(settings.name for settings in self.evaluation.metrics)):
            raise ValueError(f"search.objective: {name} needs evaluation.metrics to have it, e.g. metrics: [{name}]")
        return self

    @model_validator(mode="after")
    def _pruning_fits_the_training(self) -> "StudyConfig":
        if problem := self.pruning.problem(self.training.epochs, self.evaluation.every_epochs):
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _several_discriminators_transfer(self) -> "StudyConfig":
        if self.discriminators > 1 and self.discriminator_transfer is None:
            raise ValueError(
                "several discriminators need discriminator_transfer: what they learn from one another, "
                "e.g. {kind: features, layers: [2]} or {kind: outputs}"
            )
        if self.discriminators == 1 and self.discriminator_transfer is not None:
            raise ValueError("discriminator_transfer is for several discriminators; leave it out or set discriminators")
        return self

    @model_validator(mode="after")
    def _first_graphs_fit(self) -> "StudyConfig":
        for number, text in enumerate(self.search.first):
            try:
                graph = resolve(text, self.roster, files=False)
            except GraphError as error:
                raise ValueError(f"search.first.{number}: {error}") from error
            outside = sorted(gate.name for gate in set(graph.gates) - set(self.search.gates))
            if outside:
                known = ", ".join(gate.name for gate in self.search.gates)
                raise ValueError(
                    f"search.first.{number}: {text!r} has the gate {outside[0]}, but search.gates has only {known}"
                )
        return self
