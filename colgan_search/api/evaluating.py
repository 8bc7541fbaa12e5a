"""`evaluate`: scores of trained generators, of a folder of images, or of the real images themselves."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colgan_search.api.places import DEFAULT_WORK_DIR, work_folder
from colgan_search.config import StudyConfig, with_overrides
from colgan_search.errors import BadInput, ConfigError
from colgan_search.evaluation.more_metrics import MoreScores, more_scores, real_features
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment import GENERATORS_FILE, choose_device
from colgan_search.gan.bundle import VERSIONS, find_bundle, read_bundle
from colgan_search.gan.datasets import load_images
from colgan_search.gan.imagefolder import read_any_folder
from colgan_search.gan.weights import load_generators
from colgan_search.records import Record, Scores

PUBLISHED_IS, TOLERANCE = 11.24, 0.10
"""torch-fidelity's figure for CIFAR-10's training set at 32 x 32 (its README: 11.23678, standard deviation 0.095)."""

CIFAR10_IMAGES = 50_000


class Calibration(Record):
    """Whether this installation measures what torch-fidelity has published."""

    expected: float = PUBLISHED_IS
    tolerance: float = TOLERANCE
    measured: float
    ok: bool


@dataclass(frozen=True)
class EvaluateRequest:
    """Exactly one of `run` (a bundle, or a run folder with a config), `images` and `real`.

    `config` None = the bundle's own. `overrides`: section -> key -> value on top of it (see `config.with_overrides`).
    """

    config: StudyConfig | None
    run: Path | None = None
    images: Path | None = None
    real: bool = False
    overrides: Mapping[str, Mapping[str, Any]] | None = None
    kid: bool = False
    precision_recall: bool = False
    seed: int = 0
    work_dir: Path = DEFAULT_WORK_DIR
    device: str | None = None


@dataclass(frozen=True)
class Evaluated:
    """One row of scores per name: G1..Gk, or `images`, or `real`."""

    config: StudyConfig
    names: tuple[str, ...]
    scores: Scores
    more: tuple[MoreScores, ...]
    calibration: Calibration | None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "names": list(self.names),
            "scores": self.scores.model_dump(mode="json"),
            "more": [row.model_dump(mode="json") for row in self.more],
            "calibration": None if self.calibration is None else self.calibration.model_dump(mode="json"),
        }


def evaluate(request: EvaluateRequest) -> Evaluated:
    """Scores what is asked for. BadInput and its kinds say what is wrong with the request."""
    if sum((request.run is not None, request.images is not None, request.real)) != 1:
        raise BadInput("give exactly one thing to evaluate: a bundle or run folder, --images DIR, or --real")
    network, config = _configs(request)
    device = choose_device(config.runtime, request.device)
    torch.set_num_threads(config.runtime.threads)
    work = work_folder(request.work_dir)
    given = None
    if request.images is not None:
        given = read_any_folder(request.images, config.data.size, config.data.channels)
    generators = [] if request.run is None else _generators(request.run, network, device)
    real = load_images(config.data)
    kept: list[Tensor] = []
    wanted = request.kid or request.precision_recall
    evaluator = Evaluator(config.evaluation, real, work.cache, device, on_features=kept.append if wanted else None)
    if generators:
        names = tuple(f"G{number}" for number in range(1, len(generators) + 1))
        scores = evaluator.score(generators, network.network.z, seed=request.seed)
    else:
        images, name = (given, "images") if given is not None else (real.images, "real")
        names = (name,)
        found = evaluator.score_images(images, what=f"the {name} images" if name == "real" else str(request.images))
        scores = Scores(generators=(found,), protocol=evaluator.images_protocol(len(images)))
    against = real_features(evaluator) if wanted else None
    more = tuple(
        more_scores(features, against, kid=request.kid, precision_recall=request.precision_recall)
        for features in kept
        if against is not None
    )
    return Evaluated(config, names, scores, more, _calibration(config, scores) if request.real else None)


def is_calibration(config: StudyConfig, images: int) -> bool:
    """Whether the real images under this config are those of the published figure."""
    data, how = config.data, config.evaluation
    same_data = data.name == "cifar10" and data.size == 32 and data.channels == 3 and images == CIFAR10_IMAGES
    return same_data and how.extractor == "inception" and how.splits == 10


def _calibration(config: StudyConfig, scores: Scores) -> Calibration | None:
    if not is_calibration(config, scores.protocol.images):
        return None
    measured = scores.generators[0].is_mean
    return Calibration(measured=measured, ok=abs(measured - PUBLISHED_IS) <= TOLERANCE)


def _configs(request: EvaluateRequest) -> tuple[StudyConfig, StudyConfig]:
    """The config that the generators were built with, and the one that says how to score."""
    own = None
    if request.run is not None and (request.config is None or not (request.run / GENERATORS_FILE).exists()):
        own = read_bundle(request.run).config
    elif request.run is not None and (request.run / VERSIONS).exists():
        own = read_bundle(request.run).config
    scoring = request.config or own
    if scoring is None:
        raise BadInput("say which real images to compare with, and how: --config or --study")
    if request.overrides:
        scoring = with_overrides(scoring, **request.overrides)
    network = own or scoring
    shapes = [(config.data.size, config.data.channels) for config in (network, scoring)]
    if request.run is not None and shapes[0] != shapes[1]:
        raise ConfigError(
            f"{request.run}: its generators make images of {shapes[0][0]} x {shapes[0][0]} x {shapes[0][1]}, the real "
            f"ones of the config have {shapes[1][0]} x {shapes[1][0]} x {shapes[1][1]}; give a config of the same shape"
        )
    return network, scoring


def _generators(run: Path, config: StudyConfig, device: torch.device) -> list[torch.nn.Module]:
    folder = run if (run / GENERATORS_FILE).exists() else find_bundle(run)
    return load_generators(
        folder / GENERATORS_FILE,
        config.network,
        config.k,
        size=config.data.size,
        channels=config.data.channels,
        device=device,
    )
