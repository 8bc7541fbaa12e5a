"""Run folders of finished trials: checkpoints go, the generators of the best trials of this machine stay."""

import logging

from colgan_search.files import WorkFolder
from colgan_search.search import results
from colgan_search.search.study import OpenStudy

log = logging.getLogger(__name__)


def tidy(study: OpenStudy, work: WorkFolder) -> None:
    """Removes what finished trials of this study need no more: all checkpoints, and all but the best generators.

    Keeps the generators of the `runtime.keep_best` trials with the highest value among those that ran here.
    """
    kept = 0
    for trial in results.completed(study):
        folder = work.run(study.name, trial.number)
        if not folder.is_dir():
            continue
        for checkpoint in folder.glob("checkpoint*.pt"):
            checkpoint.unlink(missing_ok=True)
        if kept < study.config.runtime.keep_best:
            kept += 1
            continue
        for file in folder.glob("*.safetensors"):
            file.unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError:
            log.debug("%s is not empty and stays", folder)
