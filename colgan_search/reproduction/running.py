"""`reproduce`: runs or resumes the studies behind a table of the paper."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from colgan_search.api.launching import LaunchRequest
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, storage_text, work_folder
from colgan_search.config import StudyConfig, load_config, parse_config, with_overrides
from colgan_search.errors import BadInput, NothingThere, StorageError, StudyError
from colgan_search.reproduction.paper_tables import TABLES, Row, Scale
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import open_study, study_names
from colgan_search.search.study.results import TrialRecord
from colgan_search.seeds import derive_seed

RunStudy = Callable[[LaunchRequest], bool]
"""Works on a study until it is done: True. False if it has only made the study; raises if it cannot be done."""


@dataclass(frozen=True)
class Reproduction:
    """What a person asked for. `trials` is the searches' total; None = the config's own."""

    table: str
    scale: Scale
    seeds: int = 5
    trials: int | None = None
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    workers: int | None = None
    device: str | None = None
    data_root: str | None = None
    """This machine's folder of the images; None = the config's."""
    weights: str | None = None
    """This machine's file of Inception weights; None = the config's."""
    command: str | None = None
    """The command as typed, for the reports; None = the one that asks for the same."""

    def rows(self) -> Sequence[Row]:
        """The table's rows. BadInput for an unknown table or too few seeds or trials."""
        if self.table not in TABLES:
            raise BadInput(f"unknown table {self.table!r}; the tables are {', '.join(TABLES)}")
        if self.seeds < 1:
            raise BadInput(f"--seeds {self.seeds} is not allowed: at least 1")
        if self.trials is not None and self.trials < 1:
            raise BadInput(f"--trials {self.trials} is not allowed: at least 1")
        return TABLES[self.table]

    def config(self, row: Row) -> StudyConfig:
        """The study config of a row, with this machine's own paths. ConfigError if one is not allowed."""
        config = load_config(row.config_name(self.scale))
        if self.data_root is not None:
            config = with_overrides(config, "--data-root", data={"root": self.data_root})
        if self.weights is not None:
            config = with_overrides(config, "--weights", evaluation={"weights": self.weights})
        return config

    def search_total(self, config: StudyConfig) -> int:
        """Trials that a whole search has: the config's total, or more if more were asked for."""
        return max(config.search.trials, self.trials or 0)

    @property
    def made_by(self) -> str:
        """The command that belongs beside every figure."""
        if self.command is not None:
            return self.command
        trials = "" if self.trials is None else f" --trials {self.trials}"
        return f"colgan-search reproduce {self.table} --scale {self.scale} --seeds {self.seeds}{trials}"

    def request(self, config: StudyConfig, trials: int) -> LaunchRequest:
        """The launch of one of its studies; of no fewer trials than were begun, which would be refused."""
        trials = max(trials, _begun(self, config.name))
        return LaunchRequest(config, trials, None, self.storage, self.work_dir, self.workers, self.device)


def run_table(wanted: Reproduction, run: RunStudy) -> bool:
    """Runs or resumes every study of the table: each row's, and for a search its best graph's with new seeds.

    False if `run` left a study undone; the best graph of an undone search is not trained again yet.
    """
    finished = True
    for row in wanted.rows():
        config = wanted.config(row)
        if not row.search:
            finished &= run(wanted.request(config, wanted.seeds))
        elif run(wanted.request(config, wanted.trials or config.search.trials)):
            with storage_if_any(wanted) as storage:
                if storage is None:
                    raise StorageError(f"the database of study {config.name!r} is gone; run the same command again")
                best = results.best(open_study(storage, config.name, config))
            finished &= run(wanted.request(again_config(config, best), wanted.seeds))
        else:
            finished = False
    return finished


def again_config(config: StudyConfig, best: TrialRecord) -> StudyConfig:
    """The study that trains a search's best graph again, with new seeds. Another best graph is another study."""
    data = config.model_dump(mode="json")
    digest = hashlib.sha256(str(best.graph).encode()).hexdigest()[:8]
    data["name"] = f"{config.name}-again-{digest}"
    # Its own seeds: the search's would train the winner's lucky seed once more.
    data["seed"] = derive_seed(config.seed, "again")
    data["search"].update(sampler="repeat", first=[best.graph])
    return parse_config(data, data["name"])


@contextmanager
def storage_if_any(wanted: Reproduction) -> Iterator[Storage | None]:
    """The open database; None if nothing was ever run in it: an SQLite file that is not there, or no tables of ours.

    StorageError if it cannot be reached or used.
    """
    try:
        storage = open_storage(storage_text(wanted.storage, work_folder(wanted.work_dir)), writing=False)
    except NothingThere:
        yield None
        return
    try:
        yield storage
    finally:
        storage.close()


def _begun(wanted: Reproduction, name: str) -> int:
    """Trials of the study `name` that are done or in progress."""
    with storage_if_any(wanted) as storage:
        if storage is None or name not in study_names(storage):
            return 0
        try:
            budget = open_study(storage, name).slots.budget()
        except StudyError:  # cut short while it was made, or not ours: the launch repairs it, or says what is wrong
            return 0
        return budget.done + budget.running + budget.free
