"""What the tests of `reproduce` share: made-up trainings, and the values that Optuna has."""

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna

from colgan_search.api.launching import LaunchRequest
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import GeneratorScore, Outcome, Scores
from colgan_search.reproduction.real_images import real_images_row
from colgan_search.reproduction.rows import RowResult, table_rows
from colgan_search.reproduction.running import Reproduction
from colgan_search.reproduction.studies import find_studies
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.search.worker import Worker
from tests.fake_worker import PROTOCOL, FakeExperiment


@dataclass
class Scored(FakeExperiment):
    """The fake experiment with chosen values, deviations over splits, FIDs and divergence, by number of the trial."""

    values: dict[int, float] = field(default_factory=dict)
    diverged: tuple[int, ...] = ()
    splits: int = 1
    is_std: dict[int, float] = field(default_factory=dict)
    fid: dict[int, float] = field(default_factory=dict)
    accuracy: float | None = None
    """Of the classifier."""
    seconds: float = 0.0
    orders: str = ""

    def __call__(self, graph: KnowledgeTransferGraph, seed: int, folder: Path, *rest: Any) -> Outcome:
        """Changes what the fake experiment gives."""
        outcome = super().__call__(graph, seed, folder, *rest)
        number = int(folder.name.removeprefix("trial-"))
        if number in self.diverged:
            return outcome.model_copy(update={"value": 1.0, "scores": None, "history": (), "diverged": "NaN in D"})
        value = self.values.get(number, outcome.value)
        fid = {"fid": self.fid[number]} if number in self.fid else {}
        best = GeneratorScore(metrics={"is_mean": value, "is_std": self.is_std.get(number, 0.0), **fid})
        far = {"is_mean": 1.0, "is_std": 9.0, **dict.fromkeys(fid, 999.0)}
        worse = tuple(GeneratorScore(metrics=far) for _ in range(graph.k - 1))
        scores = Scores(generators=(*worse, best), protocol=PROTOCOL.model_copy(update={"splits": self.splits}))
        return outcome.model_copy(update={"value": value, "scores": scores, "classifier_accuracy": self.accuracy})


def work(request: LaunchRequest, experiment: FakeExperiment | None = None) -> bool:
    """What a launch does, with a fake experiment."""
    assert request.storage is not None and request.trials is not None
    storage = open_storage(request.storage, create=True)
    study = create_or_open(storage, request.config, request.config.name, request.trials)
    study.slots.set_total(request.trials)
    experiment = experiment or FakeExperiment(0.0)
    assert Worker(study, experiment, WorkFolder(request.work_dir), "fake", threading.Event()).run().finished
    storage.close()
    return True


def values(url: str, study: str) -> list[float]:
    """All values of a study, by Optuna itself, in the order of trial numbers."""
    storage = open_storage(url)
    trials = optuna.load_study(study_name=study, storage=storage.optuna).trials
    storage.close()
    return [trial.value for trial in trials if trial.value is not None]


def studies(url: str) -> list[str]:
    """The names of all studies, by Optuna itself."""
    storage = open_storage(url)
    names = sorted(optuna.get_all_study_names(storage.optuna))
    storage.close()
    return names


def no_real_images(wanted: Reproduction, rows: list[RowResult]) -> RowResult:
    """The real images' row of a table for which they were not measured."""
    return real_images_row(wanted, rows, None)


def gather(wanted: Reproduction) -> list[RowResult]:
    """The table as the storage has it now; rows that were not run say so. StorageError if it cannot be read."""
    return table_rows(wanted, find_studies(wanted))
