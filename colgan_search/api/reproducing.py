"""`reproduce`: runs or resumes the studies behind a table of the paper, and gathers what they gave."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from colgan_search.api.launching import LaunchRequest
from colgan_search.api.paper_tables import REAL_IMAGES_IS, TABLES, Row, Scale
from colgan_search.api.places import DEFAULT_WORK_DIR, opened_storage, work_folder
from colgan_search.config import StudyConfig, load_config, parse_config
from colgan_search.errors import BadInput, StorageError
from colgan_search.experiment import Experiment, choose_device
from colgan_search.files import write_text
from colgan_search.records import GeneratorScore, Protocol, Record
from colgan_search.search import results
from colgan_search.search.results import TrialRecord
from colgan_search.search.storage import Storage
from colgan_search.search.study import open_study, study_names
from colgan_search.seeds import derive_seed

RunStudy = Callable[[LaunchRequest], None]
"""Works on a study until it is done; raises if it cannot be."""


@dataclass(frozen=True)
class Reproduction:
    """What a person asked for. `trials` is the searches' total; None = the config's own."""

    table: str
    scale: Scale
    seeds: int = 3
    trials: int | None = None
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    workers: int | None = None
    device: str | None = None

    def rows(self) -> Sequence[Row]:
        """The table's rows. BadInput for an unknown table or too few seeds or trials."""
        if self.table not in TABLES:
            raise BadInput(f"unknown table {self.table!r}; the tables are {', '.join(TABLES)}")
        if self.seeds < 1:
            raise BadInput(f"--seeds {self.seeds} is not allowed: at least 1")
        if self.trials is not None and self.trials < 1:
            raise BadInput(f"--trials {self.trials} is not allowed: at least 1")
        return TABLES[self.table]

    def request(self, config: StudyConfig, trials: int) -> LaunchRequest:
        """The launch of one of its studies."""
        return LaunchRequest(config, trials, None, self.storage, self.work_dir, self.workers, self.device)


@dataclass(frozen=True)
class RowResult:
    """One line of the reproduced table. Our IS is the mean over training seeds of the maximum IS of one training."""

    label: str
    printed_is: float
    printed_is_std_over_splits: float
    printed_fid: float | None
    state: str
    """`complete`, `n of m seeds`, or `not run`."""
    our_is: float | None = None
    our_is_std_over_seeds: float | None = None
    our_is_std_over_splits: float | None = None
    our_fid: float | None = None
    our_fid_std_over_seeds: float | None = None
    seeds: int = 0
    graph: str | None = None
    search_trials: int | None = None
    search_best_is: float | None = None
    """The single highest score of the search: optimistic, because it is the luckiest of many."""
    protocol: dict[str, Any] | None = None
    command: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON and CSV."""
        return asdict(self)


def run_table(wanted: Reproduction, run: RunStudy) -> None:
    """Runs or resumes every study of the table: each row's, and for a search its best graph's with new seeds."""
    for row in wanted.rows():
        config = load_config(row.config_name(wanted.scale))
        if not row.search:
            run(wanted.request(config, wanted.seeds))
            continue
        run(wanted.request(config, wanted.trials or config.search.trials))
        with opened_storage(wanted.storage, work_folder(wanted.work_dir)) as storage:
            best = results.best(open_study(storage, config.name, config))
        run(wanted.request(_again(config, best), wanted.seeds))


def gather(wanted: Reproduction) -> list[RowResult]:
    """The table as the storage has it now; rows that were not run say so."""
    rows = wanted.rows()
    try:
        with opened_storage(wanted.storage, work_folder(wanted.work_dir)) as storage:
            return [_gather_row(storage, wanted, row) for row in rows]
    except StorageError:
        return [_blank(wanted, row) for row in rows]


def _again(config: StudyConfig, best: TrialRecord) -> StudyConfig:
    """The study that trains a search's best graph again, with new seeds."""
    data = config.model_dump(mode="json")
    data["name"] = f"{config.name}-again"
    # Its own seeds: the search's would train the winner's lucky seed once more.
    data["seed"] = derive_seed(config.seed, "again")
    data["search"].update(sampler="repeat", first=[best.graph])
    return parse_config(data, data["name"])


def _blank(wanted: Reproduction, row: Row) -> RowResult:
    return RowResult(
        label=row.label,
        printed_is=row.printed_is,
        printed_is_std_over_splits=row.printed_is_std,
        printed_fid=row.printed_fid,
        state="not run",
        command=f"colgan-search reproduce {wanted.table} --scale {wanted.scale} --seeds {wanted.seeds}",
    )


def _gather_row(storage: Storage, wanted: Reproduction, row: Row) -> RowResult:
    blank = _blank(wanted, row)
    config = load_config(row.config_name(wanted.scale))
    names = study_names(storage)
    if config.name not in names:
        return blank
    trials = results.completed(open_study(storage, config.name, config))
    if row.search:
        if not trials:
            return blank
        blank = replace(blank, search_trials=len(trials), search_best_is=trials[0].value, graph=trials[0].graph)
        again = _again(config, trials[0])
        if again.name not in names:
            return replace(blank, state=f"search {len(trials)} trials, best graph not trained again")
        trials = results.completed(open_study(storage, again.name, again))
    return _with_scores(blank, sorted(trials, key=lambda trial: trial.number)[: wanted.seeds], wanted.seeds)


def _with_scores(blank: RowResult, trials: Sequence[TrialRecord], seeds: int) -> RowResult:
    """Means and deviations over the trainings of one graph."""
    if not trials:
        return blank
    values = [trial.value for trial in trials if trial.value is not None]
    scored = [best for trial in trials if (best := _best_generator(trial)) is not None]
    fids = [score.fid for score in scored if score.fid is not None]
    return replace(
        blank,
        state="complete" if len(trials) >= seeds else f"{len(trials)} of {seeds} seeds",
        our_is=statistics.fmean(values),
        our_is_std_over_seeds=statistics.stdev(values) if len(values) > 1 else None,
        our_is_std_over_splits=statistics.fmean([score.is_std for score in scored]) if scored else None,
        our_fid=statistics.fmean(fids) if fids else None,
        our_fid_std_over_seeds=statistics.stdev(fids) if len(fids) > 1 else None,
        seeds=len(values),
        graph=trials[0].graph,
        protocol=trials[0].protocol,
    )


def _best_generator(trial: TrialRecord) -> GeneratorScore | None:
    """The scores of the generator with the trial's maximum IS; None if the trial diverged."""
    if trial.is_mean is None or trial.is_std is None or trial.fid is None:
        return None
    at = trial.is_mean.index(max(trial.is_mean))
    return GeneratorScore(is_mean=trial.is_mean[at], is_std=trial.is_std[at], fid=trial.fid[at])


class RealImagesScore(Record):
    """The inception score of the real images under a table's protocol, beside the printed one."""

    score: GeneratorScore
    protocol: Protocol
    printed_is: float = REAL_IMAGES_IS[0]
    printed_is_std: float = REAL_IMAGES_IS[1]


def score_real_images(wanted: Reproduction) -> RealImagesScore:
    """Scores all real images with the table's extractor and splits; kept in the work folder, measured once."""
    work = work_folder(wanted.work_dir)
    config = load_config(wanted.rows()[0].config_name(wanted.scale))
    path = work.root / "reproduce" / f"real-images-{wanted.scale}.json"
    if path.exists():
        return RealImagesScore.model_validate_json(path.read_text(encoding="utf-8"))
    device = choose_device(config.runtime, wanted.device)
    torch.set_num_threads(config.runtime.threads)
    experiment = Experiment(config, work, device)
    images = experiment.real.images
    score = experiment.evaluator.score_images(images, what="the real images")
    found = RealImagesScore(score=score, protocol=experiment.evaluator.images_protocol(len(images)))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, found.model_dump_json(indent=1))
    return found
