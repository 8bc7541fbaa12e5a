"""What the studies behind a reproduced table hold now: the trials of its searches, and the trainings of its graphs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from colgan_search.records import GeneratorScore
from colgan_search.reproduction.paper_claims import CLAIMS
from colgan_search.reproduction.paper_tables import Row, row_of
from colgan_search.reproduction.running import Reproduction, again_config, storage_if_any
from colgan_search.search.database.storage import Storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import open_study, study_names
from colgan_search.search.study.results import TrialRecord


@dataclass(frozen=True)
class RowStudies:
    """One row's studies, as they are now. Without any trial it was not run."""

    row: Row
    study: str
    """Of the row's config: a search, or trainings of the row's given graph."""
    weights: str
    """Weights that count (evaluation.point): `last`, or `best` of the interim scores."""
    seeds: int
    """Trainings that the row should have."""
    trials: int | None = None
    """Trials that the search should have; None for a given graph."""
    searched: tuple[TrialRecord, ...] = ()
    """The search's complete trials, best first."""
    again: str | None = None
    """The study that trains the search's best graph again, once there is one."""
    trained: tuple[TrialRecord, ...] = ()
    """The first trainings of the row's graph with seeds of their own: at most `seeds`, by number."""

    @property
    def winner(self) -> TrialRecord | None:
        """The search's best trial."""
        return self.searched[0] if self.searched else None

    def search_lacks(self) -> list[str]:
        """What the search lacks, in words; empty if it is whole or the graph is given."""
        if self.trials is None or len(self.searched) >= self.trials:
            return []
        return [f"search {len(self.searched)} of {self.trials} trials"]

    def trainings_lack(self) -> list[str]:
        """What the trainings of the graph lack, in words."""
        return [f"{len(self.trained)} of {self.seeds} seeds"] if len(self.trained) < self.seeds else []


def find_studies(wanted: Reproduction) -> dict[str, RowStudies]:
    """Config's name -> studies, of the table's rows and of the rows that its claims compare them with.

    StorageError if the database cannot be read.
    """
    rows = {row.config: row for row in wanted.rows()}
    for claim in CLAIMS[wanted.table]:
        for comparison in claim.comparisons:
            for name in (comparison.row, comparison.against):
                if name is not None:
                    rows.setdefault(name, row_of(name))
    with storage_if_any(wanted) as storage:
        names = [] if storage is None else study_names(storage)
        return {name: _find(storage, names, wanted, row) for name, row in rows.items()}


def _find(storage: Storage | None, names: Iterable[str], wanted: Reproduction, row: Row) -> RowStudies:
    config = wanted.config(row)
    total = wanted.search_total(config) if row.search else None
    blank = RowStudies(row, config.name, config.evaluation.point, wanted.seeds, total)
    if storage is None or config.name not in names:
        return blank
    done = results.completed(open_study(storage, config.name, config))
    if not row.search or not done:
        return RowStudies(**vars(blank) | {"trained": _first(done, wanted.seeds)})
    again = again_config(config, done[0])
    found: dict[str, Any] = {"searched": tuple(done)}
    if again.name in names:
        trained = results.completed(open_study(storage, again.name, again))
        found |= {"again": again.name, "trained": _first(trained, wanted.seeds)}
    return RowStudies(**vars(blank) | found)


def _first(trials: Iterable[TrialRecord], seeds: int) -> tuple[TrialRecord, ...]:
    return tuple(sorted(trials, key=lambda trial: trial.number)[:seeds])


def best_generator(trial: TrialRecord) -> GeneratorScore | None:
    """The scores of the generator with the trial's maximum IS; None if the trial diverged."""
    return None if trial.scores is None else trial.scores.generators[trial.scores.best_generator - 1]


def max_is(trial: TrialRecord) -> float:
    """The maximum IS over a training's generators; 1.0, the floor, if it diverged."""
    return 1.0 if trial.value is None else trial.value


def first_protocol(trials: Iterable[TrialRecord]) -> dict[str, Any] | None:
    """The first there is: a trial that diverged has none."""
    return next((trial.protocol for trial in trials if trial.protocol is not None), None)
