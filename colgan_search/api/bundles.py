"""Bundles: exported from a study's best trial, and sampled from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from colgan_search.api.own_files import OwnFiles
from colgan_search.api.study_scoring import study_experiment
from colgan_search.api.work_and_storage import output_file, work_folder
from colgan_search.bundles.bundle import Bundle, read_bundle, require_free, write_bundle
from colgan_search.bundles.sampling import FILE_FORMS, FORMATS, sample_images, write_samples
from colgan_search.config import RuntimeSettings, StudyConfig
from colgan_search.errors import BadInput, StudyError
from colgan_search.experiment import choose_device
from colgan_search.file_names import CHECKPOINTS, GENERATORS_FILE, WorkFolder
from colgan_search.records import Outcome, Progress, Scores, ShouldStop
from colgan_search.search.ranking.naming import named_run
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord, best_graph, outcome

MAX_SAMPLE_BYTES = 2**31
"""Of all images of one `sample`, which are held in memory."""


@dataclass(frozen=True)
class ExportRequest:
    """The best trial of `study` into `folder`. `retrain`: train it again if its weights are not on this machine.

    `data_root` and `weights` name this machine's own files, for the training and in the bundle's config.
    """

    study: OpenStudy
    folder: Path
    work: WorkFolder
    command: str
    retrain: bool = False
    device: str | None = None
    data_root: str | None = None
    weights: str | None = None


def export_best(
    request: ExportRequest,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    should_stop: ShouldStop = lambda: False,
) -> Bundle:
    """Makes a bundle of the best trial, with its moving averages if it left some and the scores of all its weights.

    BadInput if `folder` holds something else; StudyError if the weights are not on this machine and `retrain` is not
    set. The same graph and seed give the same weights on one type of CPU; the bundle's scores are then those of the
    new training. Interrupted if `should_stop` turned true meanwhile (checkpointed: the same call goes on).
    """
    work_folder(request.folder, "--export")
    require_free(request.folder)
    # The bundle's config may be given to a command here later, which then counts as named on this machine.
    config = OwnFiles(request.data_root, request.weights).applied(request.study.config, request.study.name)
    record = named_run(request.study)
    scores = _scores(record)
    recorded = outcome(request.study, record.number)
    variants, accuracy = ({} if recorded is None else recorded.variants), record.classifier_accuracy
    folder = request.work.run(*record.run_of(request.study.name))
    if not (folder / GENERATORS_FILE).is_file():
        if not request.retrain:
            raise StudyError(
                f"the generators of trial {record.number} are not here (no {folder / GENERATORS_FILE}): worker "
                f"{record.worker} trained them and has them in its own work folder, unless "
                f"{request.study.config.runtime.keep_best} better trials ran there; export them there, with that "
                "--work-dir, or train them again here with --retrain"
            )
        folder = request.work.retrained(request.study.name, record.number)
        again = _train_again(request, config, record, folder, on_progress, should_stop)
        scores, variants, accuracy = again.scores or scores, again.variants, again.classifier_accuracy
    return write_bundle(
        request.folder,
        best_graph(record),
        config,
        folder / GENERATORS_FILE,
        scores,
        seed=_seed(record),
        command=request.command,
        variants=variants,
        classifier_accuracy=accuracy,
    )


def _train_again(
    request: ExportRequest,
    config: StudyConfig,
    record: TrialRecord,
    folder: Path,
    on_progress: Callable[[Progress], None],
    should_stop: ShouldStop,
) -> Outcome:
    device = choose_device(config.runtime, request.device)
    torch.set_num_threads(config.runtime.threads)
    experiment = study_experiment(replace(request.study, config=config), request.work, device, should_stop)
    again = experiment(best_graph(record), _seed(record), folder, on_progress, should_stop)
    if again.scores is None:
        raise StudyError(f"trial {record.number} diverged when it was trained again here: {again.diverged}")
    for checkpoint in folder.glob(CHECKPOINTS):
        checkpoint.unlink()
    return again


def _seed(record: TrialRecord) -> int:
    if record.seed is None:
        raise StudyError(f"trial {record.number} has no seed")
    return record.seed


def _scores(record: TrialRecord) -> Scores:
    """What the study has recorded. StudyError if the trial diverged: then there are no weights either."""
    if record.scores is None:
        raise StudyError(f"trial {record.number} has no scores: {record.diverged or 'it is not complete'}")
    return record.scores


@dataclass(frozen=True)
class SampleRequest:
    """`count` images of each chosen generator: `best`, `all` or a name such as G1. See `bundles.sampling` for `out`."""

    bundle: Path
    out: Path
    count: int = 64
    seed: int = 0
    generator: str = "best"
    device: str = "auto"
    ema: bool = False
    """The moving averages of the weights; `best` is then the best of them."""


def sample(request: SampleRequest) -> list[Path]:
    """Draws the images; the files made. The same seed gives the same images, and more of them with a larger count."""
    if request.count < 1:
        raise BadInput(f"--n {request.count} is not allowed: at least 1; written is {FORMATS}")
    if request.out.suffix.lower() in FILE_FORMS:
        output_file(request.out)
    else:
        work_folder(request.out, "--out")
    bundle = read_bundle(request.bundle)
    _require_memory(request, bundle)
    bundle.weights(request.ema)  # first: without averages there is no best of them either
    chosen = _choose(bundle, request.generator, bundle.best_average if request.ema else bundle.best_generator)
    generators = bundle.load(choose_device(RuntimeSettings(), request.device), request.ema)
    samples = {
        f"G{number}": sample_images(generators[number - 1], bundle.config.network.z, request.count, request.seed)
        for number in chosen
    }
    return write_samples(request.out, samples)


def _require_memory(request: SampleRequest, bundle: Bundle) -> None:
    """BadInput if the images would take more memory than MAX_SAMPLE_BYTES."""
    data = bundle.config.data
    generators = bundle.graph.k if request.generator.lower() == "all" else 1
    most = MAX_SAMPLE_BYTES // (generators * data.channels * data.size**2)
    if request.count > most:
        raise BadInput(
            f"--n {request.count} is not allowed: at most {most:,} images of {data.size} x {data.size} pixels at once; "
            "draw more with another --seed"
        )


def _choose(bundle: Bundle, wanted: str, winner: int | None) -> list[int]:
    numbers = {f"g{number}": number for number in range(1, bundle.graph.k + 1)}
    if wanted.lower() == "all":
        return list(numbers.values())
    if wanted.lower() == "best" and winner is not None:
        return [winner]
    if wanted.lower() in numbers:
        return [numbers[wanted.lower()]]
    names = ", ".join(name.upper() for name in numbers)
    if wanted.lower() == "best":
        raise BadInput(f"{bundle.folder}: its scores do not say which generator is best; name one: {names} or all")
    raise BadInput(f"--generator {wanted!r} is not in this bundle; it has {names}, or take best or all")
