"""`confirm` from Python."""

from pathlib import Path

from colgan_search.api.confirming import ConfirmRequest, confirming
from colgan_search.api.progress_bar import shown_progress
from colgan_search.api.running import BackgroundRun
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.ranking.confirmed import Confirmed


def confirm(
    study: str | None = None,
    *,
    top: int | None = None,
    seeds: int | None = None,
    epochs: int | None = None,
    until: float | None = None,
    baselines: bool | None = None,
    storage: str | None = None,
    workers: int | None = None,
    device: str | None = None,
    work_dir: str | Path = DEFAULT_WORK_DIR,
    progress: bool = False,
) -> Confirmed:
    """Trains a search's leading graphs again with new seeds, with worker processes of this machine, to the end.

    docs/confirm.md says how. The same call goes on where it stopped, and gives the answer at once when all is done.

    Args:
        study: the search, or a confirmation that is to go on; None = the database's only search.
        top: leading graphs that race, at least 1; None = 5, or what the confirmation that is there has.
        seeds: own runs of the winner and of each baseline, at least 2; None = 10.
        epochs: of a training; None = the search's.
        until: probability, between 0.5 and 1, at which the leader counts as separated; None = 0.95.
        baselines: whether MAD-GAN, all-through and one DCGAN run beside; None = yes.
        storage: URL of the database; None = COLGAN_STORAGE, or an SQLite file in the work folder.
        workers: worker processes; None = one per GPU, or per core without a GPU; 0 = only make the studies.
        device: auto, cpu, cuda or cuda:N instead of the config's.
        work_dir: folder for checkpoints, caches, logs and the SQLite file.
        progress: show a bar while waiting.

    Raises:
        BadInput: and its kinds: what is wrong; nothing was begun.
        KeyboardInterrupt: after Ctrl-C, when the workers have left, checkpointed.
    """
    request = ConfirmRequest(
        study, top, seeds, epochs, until, baselines, storage, Path(work_dir), workers=workers, device=device
    )
    with confirming(request) as confirmation:
        for launched in confirmation.launched():
            if launched.devices and not launched.study.slots.budget().finished:
                with shown_progress(Monitor(launched.study) if progress else None) as look:
                    BackgroundRun(launched.study, launched.start_workers()).wait(look).require_finished()
        return confirmation.answer()
