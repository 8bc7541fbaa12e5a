"""Everything that the command line does, as a small Python API.

Every name is imported at its first use: a wrong command line waits for no database library, `status` not for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.bundles import ExportRequest, SampleRequest, export_best, sample
    from colgan_search.api.doubts import doubt
    from colgan_search.api.evaluating import Evaluated, EvaluateRequest, evaluate
    from colgan_search.api.figures import Drawn, FiguresRequest, draw_figures
    from colgan_search.api.launching import Launched, LaunchRequest, prepare_launch
    from colgan_search.api.own_files import OwnFiles
    from colgan_search.api.preparing import Prepared, PrepareRequest, prepare
    from colgan_search.api.serving import serve_dashboard
    from colgan_search.api.study_scoring import study_cache
    from colgan_search.api.training import Trained, TrainRequest, train_graph
    from colgan_search.api.work_and_storage import opened_storage, opened_study, output_file, work_folder
    from colgan_search.api.working import WorkRequest, work
    from colgan_search.evaluation.classifier_card import poor
    from colgan_search.search.care.monitor import Monitor, Snapshot
    from colgan_search.search.study.opening import OpenStudy
    from colgan_search.search.study.results import TrialRecord, best, best_graph, columns, completed, outcome, trials

_LATER = {
    "Drawn": "api.figures",
    "EvaluateRequest": "api.evaluating",
    "Evaluated": "api.evaluating",
    "ExportRequest": "api.bundles",
    "FiguresRequest": "api.figures",
    "LaunchRequest": "api.launching",
    "Launched": "api.launching",
    "Monitor": "search.care.monitor",
    "OpenStudy": "search.study.opening",
    "OwnFiles": "api.own_files",
    "PrepareRequest": "api.preparing",
    "Prepared": "api.preparing",
    "SampleRequest": "api.bundles",
    "Snapshot": "search.care.monitor",
    "TrainRequest": "api.training",
    "Trained": "api.training",
    "TrialRecord": "search.study.results",
    "WorkRequest": "api.working",
    "best": "search.study.results",
    "best_graph": "search.study.results",
    "completed": "search.study.results",
    "columns": "search.study.results",
    "doubt": "api.doubts",
    "draw_figures": "api.figures",
    "evaluate": "api.evaluating",
    "export_best": "api.bundles",
    "opened_storage": "api.work_and_storage",
    "opened_study": "api.work_and_storage",
    "outcome": "search.study.results",
    "output_file": "api.work_and_storage",
    "poor": "evaluation.classifier_card",
    "prepare": "api.preparing",
    "prepare_launch": "api.launching",
    "sample": "api.bundles",
    "serve_dashboard": "api.serving",
    "study_cache": "api.study_scoring",
    "train_graph": "api.training",
    "trials": "search.study.results",
    "work": "api.working",
    "work_folder": "api.work_and_storage",
}
"""Name -> module of what is imported at its first use."""

__all__ = [
    "DEFAULT_WORK_DIR",
    "Drawn",
    "EvaluateRequest",
    "Evaluated",
    "ExportRequest",
    "FiguresRequest",
    "LaunchRequest",
    "Launched",
    "Monitor",
    "OpenStudy",
    "OwnFiles",
    "PrepareRequest",
    "Prepared",
    "SampleRequest",
    "Snapshot",
    "TrainRequest",
    "Trained",
    "TrialRecord",
    "WorkRequest",
    "best",
    "best_graph",
    "columns",
    "completed",
    "doubt",
    "draw_figures",
    "evaluate",
    "export_best",
    "opened_storage",
    "opened_study",
    "outcome",
    "output_file",
    "poor",
    "prepare",
    "prepare_launch",
    "sample",
    "serve_dashboard",
    "study_cache",
    "train_graph",
    "trials",
    "work",
    "work_folder",
]


def __getattr__(name: str) -> Any:
    """Called by Python for a name that is not here yet."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"colgan_search.{_LATER[name]}"), name)
