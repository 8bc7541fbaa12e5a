"""What a study is judged by: one classifier for all its workers, and the real images' reference statistics."""

import logging
import shutil
from pathlib import Path

import torch

from colgan_search.evaluation.classifier_card import card_path, require_worth
from colgan_search.experiment import Experiment
from colgan_search.file_names import CLASSIFIERS, WorkFolder
from colgan_search.files import atomic_path, file_digest, make_private
from colgan_search.gan.checkpoint_store import CheckpointStore
from colgan_search.records import ShouldStop
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.shared_files import SharedFiles

log = logging.getLogger(__name__)


def study_cache(study: OpenStudy, work: WorkFolder) -> Path:
    """The study's own cache on this machine, with what the work folder's (see `prepare`) and the database have."""
    cache = work.study(study.name) / work.cache.name
    make_private(cache)
    for path in sorted(work.cache.glob("*")):
        if path.suffix in (".npz", ".safetensors", ".json") and not (cache / path.name).exists():
            with atomic_path(cache / path.name) as temporary:
                shutil.copyfile(path, temporary)
    SharedFiles(study).pull(cache)  # last: the study's classifier is the one that counts
    return cache


def study_experiment(
    study: OpenStudy,
    work: WorkFolder,
    device: torch.device,
    should_stop: ShouldStop = lambda: False,
    checkpoints: CheckpointStore | None = None,
) -> Experiment:
    """The study's experiment, with the one classifier that all its workers score with, whoever trained it.

    DataError, before anything is shared, if that classifier is so poor that no search should begin.
    """
    cache = study_cache(study, work)
    experiment = Experiment(study.config, work, device, should_stop, cache=cache, checkpoints=checkpoints)
    _require_worth(experiment)
    ours = _classifier_of(experiment, cache)
    if ours and not SharedFiles(study).push(ours):
        log.info("another machine's classifier came first and is used instead")
        SharedFiles(study).pull(cache)
        experiment = Experiment(study.config, work, device, should_stop, cache=cache, checkpoints=checkpoints)
        _require_worth(experiment)
    return experiment


def classifier_caches(work: WorkFolder, name: str) -> tuple[Path, Path]:
    """Where a classifier of the study `name` may lie on this machine: its own first."""
    return work.study(name) / work.cache.name, work.cache


def _require_worth(experiment: Experiment) -> None:
    """DataError if the experiment's scores would be worth nothing."""
    card = experiment.evaluator.extractor.card
    if card is not None:
        require_worth(card)


def _classifier_of(experiment: Experiment, cache: Path) -> list[Path]:
    """The files of the classifier that the experiment scores with; none with Inception."""
    digest = experiment.evaluator.extractor.weights_digest
    used = [path for path in sorted(cache.glob(CLASSIFIERS)) if file_digest(path) == digest]
    return [file for path in used for file in (path, card_path(path))]
