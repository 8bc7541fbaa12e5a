"""`worker`: one process that works on a study until it is finished or drained."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import torch

from colgan_search import logs
from colgan_search.api.judging import study_experiment
from colgan_search.api.places import DEFAULT_WORK_DIR, opened_storage, work_folder
from colgan_search.config import StudyConfig, with_overrides
from colgan_search.errors import Interrupted
from colgan_search.experiment import choose_device
from colgan_search.launch.gpus import own_gpu
from colgan_search.search.deliver import tell_closings
from colgan_search.search.housekeeping import tidy
from colgan_search.search.registry import ProcessId
from colgan_search.search.study import OpenStudy, open_study
from colgan_search.search.worker import Worked, Worker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkRequest:
    """What a person or `launch` asked for. `config`, if given, must be the study's own."""

    study: str
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    device: str | None = None
    config: StudyConfig | None = None
    data_root: str | None = None
    weights: str | None = None
    keep_log: bool = False
    """True = events also go to a file of this worker in the study's folder."""


def work(request: WorkRequest, drain: threading.Event) -> Worked:
    """Works until the study is finished or `drain` is set. See `search.worker.Worker.run` for what it raises."""
    folder = work_folder(request.work_dir)
    name = ProcessId.mine().name
    logs.set_worker(name)
    with opened_storage(request.storage, folder) as storage:
        study = open_study(storage, request.study, request.config)
        if request.keep_log:
            logs.add_file(folder.logs(study.name) / f"{name.replace(':', '-')}.log")
        config = _here(study.config, request)
        study = OpenStudy(storage, study.name, study.uid, config)
        if study.slots.budget().finished:
            tell_closings(study)  # what a worker that is dead by now had accepted, but not told
            log.info("study %s is done", study.name)
            return Worked(0, finished=True)
        torch.set_num_threads(config.runtime.threads)
        with own_gpu(choose_device(config.runtime, request.device), folder) as device:
            if device.type == "cuda":
                torch.cuda.set_device(device)
            try:
                experiment = study_experiment(study, folder, device, drain.is_set)
            except Interrupted:
                return Worked(0, finished=False)
            name = str(device)
            worker = Worker(study, experiment, folder, name, drain, on_accepted=lambda number: tidy(study, folder))
            return worker.run()


def _here(config: StudyConfig, request: WorkRequest) -> StudyConfig:
    """The study's config with this machine's own paths."""
    if request.data_root is not None:
        config = with_overrides(config, "--data-root", data={"root": request.data_root})
    if request.weights is not None:
        config = with_overrides(config, "--weights", evaluation={"weights": request.weights})
    return config
