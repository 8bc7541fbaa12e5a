"""`worker`: one process that works on a study until it is finished or drained."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import torch

from colgan_search import logs
from colgan_search.api.own_files import named_in
from colgan_search.api.showing import showcase_of
from colgan_search.api.study_scoring import study_experiment
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, require_study_folder, storage_text, work_folder
from colgan_search.config import StudyConfig
from colgan_search.config.schema import ServiceSettings
from colgan_search.errors import GpuFull, Interrupted, Outage, OutOfMemory, in_one_line
from colgan_search.experiment import choose_device
from colgan_search.file_names import WorkFolder
from colgan_search.files import make_private
from colgan_search.gan.checkpoint_store import open_store
from colgan_search.launchers import cores
from colgan_search.launchers.gpus import own_gpu
from colgan_search.launchers.packing import CudaGpu, measured, recorder
from colgan_search.search.budget.workers import ProcessId
from colgan_search.search.care.housekeeping import tidy, tidy_store
from colgan_search.search.database.opening import open_storage, require_server
from colgan_search.search.database.retry import through_outages
from colgan_search.search.delivering.deliver import Spool, deliver_spooled, tell_closings
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.search.worker import Experiment, Worked, Worker

log = logging.getLogger(__name__)
T = TypeVar("T")

CHECKPOINTS_VARIABLE = "COLGAN_CHECKPOINTS"

LEAVE_SECONDS = 10.0
"""After a drain, for preparations that look at it by themselves."""


@dataclass(frozen=True)
class WorkRequest:
    """What a person or `launch` asked for. `config`, if given, must be the study's own.

    This machine's files are read if they are named here (`data_root`, `weights`, `config`) or as in `own_files`.
    """

    study: str
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    device: str | None = None
    config: StudyConfig | None = None
    data_root: str | None = None
    weights: str | None = None
    wait_minutes: float = 0.0
    """How long a database that does not answer at the start is waited for."""
    checkpoints: str | None = None
    """Folder or address where checkpoints travel between machines; None = COLGAN_CHECKPOINTS, or nowhere."""
    keep_log: bool = False
    """True = events also go to a file of this worker in the study's folder."""
    shares_gpu: bool = False
    """True = other workers of the same launch work on its GPU: where its memory is too small, this one leaves it."""


def work(request: WorkRequest, drain: threading.Event) -> Worked:
    """Works until the study is finished or `drain` is set. See `search.worker.Worker.run` for what it raises."""
    folder = work_folder(request.work_dir)
    name = ProcessId.mine().name
    logs.set_worker(name)
    try:
        study = _attached(request, folder, drain)
    except Outage:
        if drain.is_set():
            return Worked(0, finished=False)
        raise
    try:
        require_study_folder(folder, study.name)
        make_private(folder.logs(study.name))
        if request.keep_log:
            logs.add_file(folder.logs(study.name) / f"{name.replace(':', '-')}.log")
        return _work_on(study, request, folder, drain)
    except Interrupted:
        return Worked(0, finished=False)
    finally:
        study.storage.close()


def _attached(request: WorkRequest, folder: WorkFolder, drain: threading.Event) -> OpenStudy:
    """The open study; waits for its database as long as the request says, and no time if it says nothing.

    A database that answers and then goes away while the study is opened is waited for in any case.
    """
    text = storage_text(request.storage, folder)

    def attach() -> OpenStudy:
        storage = open_storage(text)
        try:
            return open_study(storage, request.study, request.config)
        except BaseException:
            storage.close()
            raise

    minutes = request.wait_minutes
    if minutes <= 0.0:
        require_server(text)
        minutes = ServiceSettings().outage_minutes  # the study's own is not known yet
    return through_outages(attach, "opening the study", limit_seconds=60.0 * minutes, give_up=drain)


def _work_on(study: OpenStudy, request: WorkRequest, folder: WorkFolder, drain: threading.Event) -> Worked:
    """Everything from an open study on. Interrupted if drained before the first slot is asked for."""

    def patiently(call: Callable[[], T], what: str) -> T:
        try:
            limit = 60.0 * study.config.service.outage_minutes
            return through_outages(call, what, limit_seconds=limit, give_up=drain)
        except Outage:
            if drain.is_set():
                raise Interrupted("drained while the database was away") from None
            raise

    budget = patiently(study.slots.budget, "counting")
    if budget.finished:
        # What workers that are dead by now left here: results that come too late, and one accepted but not told.
        patiently(lambda: deliver_spooled(study, Spool(folder.spool(study.name))), "delivering")
        patiently(lambda: tell_closings(study), "telling results")
        log.info("study %s is done", study.name)
        return Worked(0, finished=True)
    if budget.draining:
        log.warning("the workers of study %s are asked to drain; `launch`, or lifting that, lets them work", study.name)
        return Worked(0, finished=False)
    # Before any of this machine's files are read, and long before what follows from them is shared.
    own = named_in(request.config, request.data_root, request.weights)
    study = replace(study, config=own.applied(study.config, study.name))
    checkpoints = request.checkpoints or os.environ.get(CHECKPOINTS_VARIABLE) or None
    cores.limit(study.config.runtime.threads, os.environ)
    with own_gpu(choose_device(study.config.runtime, request.device), folder) as device:
        if device.type == "cuda":
            torch.cuda.set_device(device)
        shares_gpu = request.shares_gpu and device.type == "cuda"
        store = None if checkpoints is None else open_store(checkpoints, study.name, study.uid)

        def accepted(number: int) -> None:
            tidy(study, folder)
            if store is not None:
                tidy_store(study, store)

        run: Experiment
        said = str(device)
        try:
            with _left_in_time(drain):
                experiment = patiently(
                    lambda: study_experiment(study, folder, device, drain.is_set, store), "preparing"
                )
            run = experiment
            if device.type == "cuda":
                if experiment.check_fast_path() is not None:
                    said += f", {experiment.off}"  # after the device, where `status` shows it
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats(device)  # what the check took is no trial's
                run = measured(experiment, recorder(CudaGpu(str(device)), folder.root))
        except torch.OutOfMemoryError as error:
            kind = GpuFull if shares_gpu else OutOfMemory
            raise kind(f"{device} has too little free memory to begin: {in_one_line(error)}") from error
        return Worker(
            study,
            run,
            folder,
            said,
            drain,
            accepted,
            showcase_of(study, request.config),
            shares_gpu=shares_gpu,
        ).run()


@contextmanager
def _left_in_time(drain: threading.Event) -> Iterator[None]:
    """Ends the process if it is drained inside the block and does not come to its end by itself.

    Reading a large data set, or downloading one, looks at no drain. No slot is held yet; our own files are whole,
    and what a data set's download left behind is checked at the next start.
    """
    ready = threading.Event()

    def leave_late() -> None:
        while not drain.wait(0.5):
            if ready.is_set():
                return
        if not ready.wait(LEAVE_SECONDS):
            log.warning("drained while still preparing; left")
            os._exit(0)

    threading.Thread(target=leave_late, name="drain", daemon=True).start()
    try:
        yield
    finally:
        ready.set()
