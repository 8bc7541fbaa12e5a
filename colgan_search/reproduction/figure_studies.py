"""The studies that the paper's figures are of: which they are, and what each of them holds now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from colgan_search.api.work_and_storage import work_folder
from colgan_search.config import StudyConfig
from colgan_search.errors import StudyError
from colgan_search.file_names import GENERATORS_FILE
from colgan_search.reproduction.paper_tables import TABLES, Row
from colgan_search.reproduction.running import Reproduction, storage_if_any
from colgan_search.search.database.storage import Storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import open_study, study_names
from colgan_search.search.study.results import TrialRecord

PAIR, MAD_GAN = "table1-proposed", "table1-mad-gan"
"""Figures 5 and 6."""
TRANSFERS = ("table2-image", "table2-input-side", "table2-output-side")
"""Figure 7."""
SEARCHED = "table3-proposed"
"""Figure 8."""


@dataclass
class Found:
    """The complete trials of the studies, and why those of the other studies are not there."""

    configs: dict[str, StudyConfig] = field(default_factory=dict)
    """Config's stem -> config."""
    trials: dict[str, list[TrialRecord]] = field(default_factory=dict)
    """Config's stem -> complete trials, best first; only studies that have one."""
    absent: dict[str, str] = field(default_factory=dict)
    mad_gan: Path | None = None
    """Run folder of MAD-GAN's best generators on this machine."""

    def name(self, stem: str) -> str:
        """The study's name."""
        return self.configs[stem].name


def figure_rows() -> Sequence[Row]:
    """The rows of the tables that the figures are of, in the tables' order."""
    rows = {row.config: row for table in TABLES.values() for row in table}
    return [rows[stem] for stem in (MAD_GAN, PAIR, *TRANSFERS, SEARCHED)]


def find(wanted: Reproduction) -> Found:
    """What the database and the work folder hold. StorageError if the database cannot be read."""
    found = Found()
    with storage_if_any(wanted) as storage:
        for row in figure_rows():
            stem = row.config
            config = found.configs[stem] = wanted.config(row)
            how = f"colgan-search reproduce {stem.partition('-')[0]} --scale {wanted.scale} runs it"
            try:
                trials = _trials(storage, config)
            except StudyError as error:
                found.absent[stem] = str(error)
                continue
            if trials:
                found.trials[stem] = trials
            elif trials is None:
                found.absent[stem] = f"study {config.name} was not run; {how}"
            else:
                found.absent[stem] = f"study {config.name} has no complete trial yet; {how}"
    work = work_folder(wanted.work_dir)
    runs = [work.run(found.name(MAD_GAN), trial.number) for trial in found.trials.get(MAD_GAN, [])]
    found.mad_gan = next((run for run in runs if (run / GENERATORS_FILE).is_file()), None)
    return found


def _trials(storage: Storage | None, config: StudyConfig) -> list[TrialRecord] | None:
    """Complete trials of the study that has this very config; None without one of its name."""
    if storage is None or config.name not in study_names(storage):
        return None
    return results.completed(open_study(storage, config.name, config))
