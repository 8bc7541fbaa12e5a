"""The trainings of Table 1's proposed pair and of MAD-GAN whose generators are here, measured for figures 5 and 6."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from colgan_search.api.figures import TSNE_IMAGES
from colgan_search.api.study_scoring import study_cache
from colgan_search.api.work_and_storage import opened_storage, work_folder
from colgan_search.bundles.sampling import sample_images
from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig
from colgan_search.errors import DataError
from colgan_search.evaluation.diversity import Diversity, Draws, diversity, total_variance
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment import choose_device, load_real
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.gan.resize import limited
from colgan_search.reproduction.running import Reproduction
from colgan_search.search.study.opening import open_study
from colgan_search.search.study.results import TrialRecord
from colgan_search.seeds import derive_seed


@dataclass(frozen=True)
class MeasuredPair:
    """The trainings of one study."""

    study: str
    trainings: int
    """Complete trials of the study."""
    measured: dict[int, Diversity] = field(default_factory=dict)
    """Trial's number -> its numbers."""
    left_out: dict[int, str] = field(default_factory=dict)
    """Trial's number -> why it was not measured."""

    def values(self, measure: str) -> list[float]:
        """One number of every measured training, in the order of trials; those that have none are left out."""
        found = [getattr(one, measure) for _, one in sorted(self.measured.items())]
        return [value for value in found if value is not None]


@dataclass(frozen=True)
class MeasuredPairs:
    """Both studies under one judge."""

    proposed: MeasuredPair
    mad_gan: MeasuredPair
    images: int
    """Per generator and draw."""
    real_images: int
    real_variance: float
    extractor: str
    weights_digest: str
    """Of the extractor that judged both."""


def measure_pairs(
    wanted: Reproduction,
    configs: tuple[StudyConfig, StudyConfig],
    trials: tuple[Sequence[TrialRecord], Sequence[TrialRecord]],
    say: Callable[[str], None],
    *,
    images: int = TSNE_IMAGES,
) -> MeasuredPairs | None:
    """Measures every training of (proposed, MAD-GAN) whose generators lie in this work folder; None if there is none.

    The proposed study's own extractor judges both: variances of two extractors' features do not compare. DataError or
    another BadInput if extractor or images cannot be had.
    """
    work = work_folder(wanted.work_dir)
    here = [_files(work, config, done) for config, done in zip(configs, trials, strict=True)]
    if not any(here):
        return None
    evaluator = _judge(wanted, configs[0], work)
    chosen = evaluator.real.images[limited(len(evaluator.real.images), configs[0].k * images)]
    real = evaluator.features(chosen, "the real images")

    def measured(config: StudyConfig, done: Sequence[TrialRecord], files: Mapping[int, Path]) -> MeasuredPair:
        pair = MeasuredPair(config.name, len(done), left_out=_left_out(done, files))
        for number in sorted(files):
            say(f"measuring the generators of {config.name}, trial {number}")
            try:
                pair.measured[number] = diversity(_draws(evaluator, config, files[number], images), real)
            except DataError as error:  # one torn file does not take the others with it
                pair.left_out[number] = str(error)
        return pair

    return MeasuredPairs(
        proposed=measured(configs[0], trials[0], here[0]),
        mad_gan=measured(configs[1], trials[1], here[1]),
        images=images,
        real_images=len(real),
        real_variance=total_variance(real),
        extractor=evaluator.extractor.name,
        weights_digest=evaluator.extractor.weights_digest,
    )


def _judge(wanted: Reproduction, config: StudyConfig, work: WorkFolder) -> Evaluator:
    device = choose_device(config.runtime, wanted.device)
    torch.set_num_threads(config.runtime.threads)
    with opened_storage(wanted.storage, work, writing=False) as storage:
        cache = study_cache(replace(open_study(storage, config.name, config), config=config), work)
    return Evaluator(config.evaluation, load_real(config), cache, device, objective=config.objective)


def _files(work: WorkFolder, config: StudyConfig, done: Sequence[TrialRecord]) -> dict[int, Path]:
    paths = {trial.number: work.run(config.name, trial.number) / GENERATORS_FILE for trial in done}
    return {number: path for number, path in paths.items() if path.is_file()}


def _left_out(done: Sequence[TrialRecord], files: Mapping[int, Path]) -> dict[int, str]:
    return {
        trial.number: f"diverged ({trial.diverged})" if trial.diverged else "its generators are not in this work folder"
        for trial in done
        if trial.number not in files
    }


def _draws(evaluator: Evaluator, config: StudyConfig, file: Path, images: int) -> list[Draws]:
    """The features of two draws of every generator: of z that all share (figures 5 and 6), and of its own."""
    size, channels = config.data.size, config.data.channels
    modules = load_generators(file, config.network, config.k, size=size, channels=channels, device=evaluator.device)

    def features(number: int, seed: int) -> Tensor:
        made = sample_images(modules[number - 1], config.network.z, images, seed)
        return evaluator.features(made, f"{file}, G{number}")

    return [Draws(features(n, 0), features(n, derive_seed(0, "own", n))) for n in range(1, config.k + 1)]
