"""The rows of a reproduced table, gathered from the studies as they are now."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from colgan_search.api.paper_tables import Row
from colgan_search.api.reproducing import Reproduction, again_config, storage_if_any
from colgan_search.records import GeneratorScore
from colgan_search.search import results
from colgan_search.search.results import TrialRecord
from colgan_search.search.storage import Storage
from colgan_search.search.study import open_study, study_names

NOT_RUN = "not run"


@dataclass(frozen=True)
class SeedResult:
    """One training of a row's graph: the maximum IS over its generators, and the FID of that generator."""

    trial: int
    seed: int | None
    our_is: float
    """1.0, the floor, if it diverged."""
    our_is_std_over_splits: float | None
    our_fid: float | None
    diverged: str | None


@dataclass(frozen=True)
class RowResult:
    """One line of the reproduced table. Our IS is the mean over training seeds of the maximum IS of one training.

    Deviations over seeds say how much trainings differ, deviations over splits how much parts of one training's
    images do; the paper prints the latter.
    """

    label: str
    printed_is: float
    printed_is_std_over_splits: float
    printed_fid: float | None
    state: str
    """`complete`, `not run`, or what is missing or wrong, e.g. `search 6 of 40 trials, 2 of 3 seeds, 1 diverged`."""
    our_is: float | None = None
    our_is_std_over_seeds: float | None = None
    our_is_std_over_splits: float | None = None
    """Mean over the seeds that did not diverge; None with 1 split."""
    our_fid: float | None = None
    our_fid_std_over_seeds: float | None = None
    fid_seeds: int = 0
    """Trainings behind `our_fid`: one that diverged has no FID."""
    seeds: int = 0
    """Trainings behind `our_is`."""
    per_seed: tuple[SeedResult, ...] = ()
    weights: str | None = None
    """Weights that count (evaluation.point): `last`, or `best` of the interim scores."""
    graph: str | None = None
    study: str | None = None
    search_trials: int | None = None
    search_best_is: float | None = None
    """The single highest score of the search: optimistic, because it is the luckiest of many."""
    protocol: dict[str, Any] | None = None
    command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON and CSV."""
        return asdict(self)


def gather(wanted: Reproduction) -> list[RowResult]:
    """The table as the storage has it now; rows that were not run say so. StorageError if it cannot be read."""
    rows = wanted.rows()
    with storage_if_any(wanted) as storage:
        return [_blank(wanted, row) if storage is None else _gather_row(storage, wanted, row) for row in rows]


def _blank(wanted: Reproduction, row: Row) -> RowResult:
    return RowResult(
        label=row.label,
        printed_is=row.printed_is,
        printed_is_std_over_splits=row.printed_is_std,
        printed_fid=row.printed_fid,
        state=NOT_RUN,
        weights=wanted.config(row).evaluation.point,
        command=wanted.made_by,
    )


def _gather_row(storage: Storage, wanted: Reproduction, row: Row) -> RowResult:
    blank = _blank(wanted, row)
    config = wanted.config(row)
    names = study_names(storage)
    if config.name not in names:
        return blank
    trials = results.completed(open_study(storage, config.name, config))
    if not trials:
        return blank
    if not row.search:
        return _with_scores(replace(blank, study=config.name), trials, wanted.seeds, [])
    total = wanted.search_total(config)
    lacking = [f"search {len(trials)} of {total} trials"] if len(trials) < total else []
    found = replace(
        blank,
        search_trials=len(trials),
        search_best_is=trials[0].value,
        graph=trials[0].graph,
        study=config.name,
        protocol=_protocol(trials),
    )
    again = again_config(config, trials[0])
    trained = results.completed(open_study(storage, again.name, again)) if again.name in names else []
    if not trained:
        searched = lacking or [f"search {len(trials)} trials"]
        return replace(found, state=", ".join([*searched, "best graph not trained again"]))
    return _with_scores(replace(found, study=again.name), trained, wanted.seeds, lacking)


def _with_scores(
    found: RowResult, trials: Sequence[TrialRecord], wanted_seeds: int, lacking: Sequence[str]
) -> RowResult:
    """Means and deviations over the first trainings of one graph. `lacking` says what else the row lacks."""
    first = sorted(trials, key=lambda trial: trial.number)[:wanted_seeds]
    seeds = tuple(_seed_result(trial) for trial in first)
    values = [seed.our_is for seed in seeds]
    over_splits = [seed.our_is_std_over_splits for seed in seeds if seed.our_is_std_over_splits is not None]
    fids = [seed.our_fid for seed in seeds if seed.our_fid is not None]
    diverged = sum(seed.diverged is not None for seed in seeds)
    missing = [*lacking, *([f"{len(seeds)} of {wanted_seeds} seeds"] if len(seeds) < wanted_seeds else [])]
    state = [*(missing or ["complete"]), *([f"{diverged} diverged"] if diverged else [])]
    return replace(
        found,
        state=", ".join(state),
        our_is=statistics.fmean(values),
        our_is_std_over_seeds=statistics.stdev(values) if len(values) > 1 else None,
        our_is_std_over_splits=statistics.fmean(over_splits) if over_splits else None,
        our_fid=statistics.fmean(fids) if fids else None,
        our_fid_std_over_seeds=statistics.stdev(fids) if len(fids) > 1 else None,
        fid_seeds=len(fids),
        seeds=len(seeds),
        per_seed=seeds,
        graph=first[0].graph,
        protocol=_protocol(first),
    )


def _seed_result(trial: TrialRecord) -> SeedResult:
    best = _best_generator(trial)
    has_splits = trial.protocol is not None and trial.protocol["splits"] > 1
    return SeedResult(
        trial=trial.number,
        seed=trial.seed,
        our_is=1.0 if trial.value is None else trial.value,
        our_is_std_over_splits=best.is_std if best is not None and has_splits else None,
        our_fid=None if best is None else best.fid,
        diverged=trial.diverged,
    )


def _best_generator(trial: TrialRecord) -> GeneratorScore | None:
    """The scores of the generator with the trial's maximum IS; None if the trial diverged."""
    if trial.is_mean is None or trial.is_std is None or trial.fid is None:
        return None
    at = trial.is_mean.index(max(trial.is_mean))
    return GeneratorScore(is_mean=trial.is_mean[at], is_std=trial.is_std[at], fid=trial.fid[at])


def _protocol(trials: Sequence[TrialRecord]) -> dict[str, Any] | None:
    """The first there is: a trial that diverged has none."""
    return next((trial.protocol for trial in trials if trial.protocol is not None), None)
