"""The row of the real images in a reproduced table: measured once per work folder, and kept there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from colgan_search.api.study_scoring import study_experiment
from colgan_search.api.work_and_storage import opened_storage, work_folder
from colgan_search.config import StudyConfig
from colgan_search.experiment import choose_device
from colgan_search.files import write_text
from colgan_search.records import GeneratorScore, Protocol, Record, differences
from colgan_search.reproduction.paper_tables import REAL_IMAGES_IS
from colgan_search.reproduction.rows import NOT_RUN, RowResult
from colgan_search.reproduction.running import Reproduction
from colgan_search.search.study.opening import open_study

LABEL = "real images"


class RealImagesScore(Record):
    """The inception score of the real images under a table's protocol, beside the printed one."""

    score: GeneratorScore
    protocol: Protocol
    printed_is: float = REAL_IMAGES_IS[0]
    printed_is_std: float = REAL_IMAGES_IS[1]


def score_real_images(wanted: Reproduction, rows: Sequence[RowResult]) -> RealImagesScore:
    """Scores all real images with the extractor of the first row's study and the table's splits.

    Kept in the work folder; measured again only for rows of another protocol.
    """
    kept = kept_real_images(wanted, rows)
    if kept is not None:
        return kept
    work = work_folder(wanted.work_dir)
    config = wanted.config(wanted.rows()[0])
    device = choose_device(config.runtime, wanted.device)
    torch.set_num_threads(config.runtime.threads)
    with opened_storage(wanted.storage, work) as storage:
        study = replace(open_study(storage, config.name, config), config=config)
        # The study's own judge: a classifier that another machine trained gives other scores.
        experiment = study_experiment(study, work, device)
    images = experiment.real.images
    score = experiment.evaluator.score_images(images, what="the real images")
    found = RealImagesScore(score=score, protocol=experiment.evaluator.images_protocol(len(images)))
    write_text(_file(wanted), found.model_dump_json(indent=1))
    return found


def kept_real_images(wanted: Reproduction, rows: Sequence[RowResult]) -> RealImagesScore | None:
    """What was measured before, if it is readable and fits the table's protocol; None otherwise."""
    try:
        kept = RealImagesScore.model_validate_json(_file(wanted).read_bytes())
    except (OSError, ValueError):
        return None
    return kept if _fits(kept.protocol, wanted.config(wanted.rows()[0]), rows) else None


def real_images_row(wanted: Reproduction, rows: Sequence[RowResult], real: RealImagesScore | None) -> RowResult:
    """The table's last row. Real images have no FID against themselves, and no training seeds."""
    row = RowResult(LABEL, "real images", *REAL_IMAGES_IS, printed_fid=None, state=NOT_RUN, command=wanted.made_by)
    if real is None:
        return row
    return replace(
        row,
        state="complete",
        our_is=real.score.is_mean,
        our_is_std_over_splits=real.score.is_std if real.protocol.splits > 1 else None,
        protocol=real.protocol.model_dump(mode="json"),
    )


def _file(wanted: Reproduction) -> Path:
    return work_folder(wanted.work_dir).reproduced / f"real-images-{wanted.scale}.json"


def _fits(protocol: Protocol, config: StudyConfig, rows: Sequence[RowResult]) -> bool:
    """True if the score is comparable with the rows' (but for the number of images, which is that of the data)."""
    measured = protocol.model_dump(mode="json")
    theirs = next((row.protocol for row in rows if row.protocol is not None), None)
    if theirs is None:
        theirs = {
            "extractor": config.evaluation.extractor,
            "resolution": config.data.size,
            "channels": config.data.channels,
            "splits": config.evaluation.splits,
        }
    shared = {key: measured[key] for key in theirs}
    return not differences(shared, theirs).keys() - {"images"}
