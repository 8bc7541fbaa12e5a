"""Everything that the command line does, as a small Python API."""

from colgan_search.api.launching import Launched, LaunchRequest, prepare_launch
from colgan_search.api.places import DEFAULT_WORK_DIR, opened_storage, opened_study, work_folder
from colgan_search.api.serving import serve_dashboard
from colgan_search.api.training import Trained, TrainRequest, train_graph
from colgan_search.api.working import WorkRequest, work
from colgan_search.launch.local import LocalWorkers
from colgan_search.search.monitor import Monitor, Snapshot
from colgan_search.search.results import TrialRecord, best, best_graph, completed, trials
from colgan_search.search.study import OpenStudy

__all__ = [
    "DEFAULT_WORK_DIR",
    "LaunchRequest",
    "Launched",
    "LocalWorkers",
    "Monitor",
    "OpenStudy",
    "Snapshot",
    "TrainRequest",
    "Trained",
    "TrialRecord",
    "WorkRequest",
    "best",
    "best_graph",
    "completed",
    "opened_storage",
    "opened_study",
    "prepare_launch",
    "serve_dashboard",
    "train_graph",
    "trials",
    "work",
    "work_folder",
]
