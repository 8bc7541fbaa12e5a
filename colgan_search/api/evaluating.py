"""`evaluate`: scores of trained generators, of a folder of images, or of the real images themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from colgan_search.api.own_files import OwnFiles
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, work_folder
from colgan_search.bundles.recorded_scores import Recorded, compared
from colgan_search.bundles.trained_generators import find_trained
from colgan_search.config import StudyConfig, with_overrides
from colgan_search.errors import BadInput
from colgan_search.evaluation.classifier_card import require_worth
from colgan_search.evaluation.extractor_kinds.inception import INCEPTION
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment import choose_device
from colgan_search.extensions.metrics import METRICS, MetricSettings
from colgan_search.gan.datasets.cifar10 import CIFAR10, IMAGES
from colgan_search.gan.datasets.loading import load_images
from colgan_search.gan.imagefolder import read_any_folder
from colgan_search.records import Record, Scores

PUBLISHED_IS, TOLERANCE = 11.24, 0.10
"""torch-fidelity's figure for CIFAR-10's training set at 32 x 32 (its README: 11.23678, standard deviation 0.095)."""


class Calibration(Record):
    """Whether this installation measures what torch-fidelity has published."""

    expected: float = PUBLISHED_IS
    tolerance: float = TOLERANCE
    measured: float
    ok: bool


@dataclass(frozen=True)
class EvaluateRequest:
    """Exactly one of `run` (a bundle or run folder), `images` and `real`.

    `config` None = the run's own. `overrides`: key path -> value on top of it, as in `load_config`.
    """

    config: StudyConfig | None = None
    run: Path | None = None
    """Folder of a training, a trial or a bundle, whose generators are scored."""
    images: Path | None = None
    """Folder of images that are scored."""
    real: bool = False
    """True = the real images themselves are scored."""
    overrides: Mapping[str, Any] | None = None
    kid: bool = False
    """The kernel inception distance as well."""
    precision_recall: bool = False
    """Precision and recall as well."""
    seed: int | None = None
    """Of the generated images; None = that of a bundle's recorded scores, which are then found again, else 0."""
    work_dir: Path = DEFAULT_WORK_DIR
    device: str | None = None
    cache: Path | None = None
    """Where extractor and statistics are kept (`study_scoring.study_cache`); None = the work folder's cache."""
    ema: bool = False
    """The moving averages of the run's generators."""


@dataclass(frozen=True)
class Evaluated:
    """One row of scores per name: G1..Gk, or `images`, or `real`."""

    config: StudyConfig
    names: tuple[str, ...]
    scores: Scores
    more: tuple[dict[str, float], ...]
    """One row each of what was asked for beside the config's own metrics: name -> number."""
    words: tuple[str, ...]
    """How the metrics beside IS and FID were measured, one line each."""
    calibration: Calibration | None
    iteration: int | None = None
    """Of the checkpoint that was scored; None if the training had ended, or it was not a training."""
    classifier_accuracy: float | None = None
    """Held-out accuracy, 0..1, of the classifier that scored; None with another extractor."""
    recorded: Recorded | None = None
    """What the bundle says of itself; None if it was none, or says nothing."""
    compared: str | None = None
    """Whether these are the recorded scores, and if not, why."""

    @property
    def is_of_published_data(self) -> bool:
        """Whether these are the real images whose figure is published, measured in whatever way."""
        return self.names == ("real",) and self.config.data.name == CIFAR10.name

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "names": list(self.names),
            "scores": self.scores.model_dump(mode="json"),
            "more": list(self.more),
            "more_measured": list(self.words),
            "iteration": self.iteration,
            "classifier_accuracy": self.classifier_accuracy,
            "recorded": None if self.recorded is None else self.recorded.scores.model_dump(mode="json"),
            "compared": self.compared,
            "calibration": None if self.calibration is None else self.calibration.model_dump(mode="json"),
        }


def evaluate(request: EvaluateRequest) -> Evaluated:
    """Scores what is asked for. BadInput and its kinds say what is wrong with the request."""
    if sum((request.run is not None, request.images is not None, request.real)) != 1:
        raise BadInput("give exactly one thing to evaluate: a bundle or run folder, --images DIR, or --real")
    if request.ema and request.run is None:
        raise BadInput("--ema is for trained generators: name their bundle or run folder, or leave it out")
    trained = None if request.run is None else find_trained(request.run, request.config, request.ema)
    config = request.config or (trained.config if trained is not None else None)
    if config is None:
        raise BadInput("say which real images to compare with, and how: --config or --study")
    config = with_overrides(config, request.overrides, "command line") if request.overrides else config
    if request.config is None and request.run is not None:
        config = _own(request.overrides or {}).applied_to_bundle(config, request.run)
    device = choose_device(config.runtime, request.device)
    torch.set_num_threads(config.runtime.threads)
    work = work_folder(request.work_dir)
    generators = [] if trained is None else trained.load(config, device)
    size, channels = config.data.size, config.data.channels
    given = None if request.images is None else read_any_folder(request.images, size, channels)
    real = load_images(config.data)
    further = _further(request, config)
    measured = [*config.evaluation.metrics, *further]
    count = config.evaluation.images if trained is not None else len(real.images if given is None else given)
    for one in measured:
        METRICS.get(one.name).check(one, count, len(real.images))
    found = (METRICS.get(one.name).words(one, count, len(real.images)) for one in measured)
    words = tuple(text for text in found if text is not None)
    evaluator = Evaluator(config.evaluation, real, request.cache or work.cache, device, objective=config.objective)
    if evaluator.extractor.card is not None:
        require_worth(evaluator.extractor.card, "nothing is scored by it")
    more: list[dict[str, float]] = []
    evaluator.further, evaluator.on_further = further, more.append
    if trained is not None:
        known = trained.recorded
        seed = request.seed if request.seed is not None else 0 if known is None else known.seed
        scores = evaluator.score(generators, trained.config.network.z, seed=seed)
        said = None if known is None else compared(known, scores, seed)
        names = tuple(f"G{number}" for number in range(1, len(generators) + 1))
        accuracy = evaluator.extractor.accuracy
        return Evaluated(config, names, scores, tuple(more), words, None, trained.iteration, accuracy, known, said)
    images, what = (real.images, "the real images") if given is None else (given, str(request.images))
    score = evaluator.score_images(images, what=what)
    scores = Scores(generators=(score,), protocol=evaluator.images_protocol(len(images)), objective=config.objective)
    calibration = _calibration(config, scores) if given is None else None
    names = ("real" if given is None else "images",)
    return Evaluated(config, names, scores, tuple(more), words, calibration, None, evaluator.extractor.accuracy)


def _further(request: EvaluateRequest, config: StudyConfig) -> tuple[MetricSettings, ...]:
    """The metrics that are asked for here, and that the config has not by itself."""
    asked = [*(["kid"] if request.kid else []), *(["precision", "recall"] if request.precision_recall else [])]
    own = {one.name for one in config.evaluation.metrics}
    return tuple(METRICS.get(name).settings(name=name) for name in asked if name not in own)


def _own(overrides: Mapping[str, Any]) -> OwnFiles:
    """What was named on this machine."""
    root, weights = overrides.get("data.root"), overrides.get("evaluation.weights")
    return OwnFiles(None if root is None else str(root), None if weights is None else str(weights))


def is_calibration(config: StudyConfig, images: int) -> bool:
    """Whether the real images under this config are those of the published figure."""
    data, how = config.data, config.evaluation
    same_data = data.name == CIFAR10.name and data.size == 32 and data.channels == 3 and images == IMAGES
    return same_data and how.extractor == INCEPTION.name and how.splits == 10


def _calibration(config: StudyConfig, scores: Scores) -> Calibration | None:
    if not is_calibration(config, scores.protocol.images):
        return None
    measured = scores.generators[0].is_mean
    return Calibration(measured=measured, ok=abs(measured - PUBLISHED_IS) <= TOLERANCE)
