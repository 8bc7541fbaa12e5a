"""All studies of a database: how far each is, and its best run."""

from dataclasses import dataclass

from colgan_search.api.purpose import purpose_of
from colgan_search.config import StudyConfig
from colgan_search.errors import ColganError
from colgan_search.search.care.monitor import Monitor, Snapshot
from colgan_search.search.database.storage import Storage
from colgan_search.search.study.opening import open_study, study_names


@dataclass(frozen=True)
class Overview:
    """One study, or why it cannot be read."""

    name: str
    config: StudyConfig | None
    now: Snapshot | None
    problem: str | None
    """None if it was read; else why not, in one line: another program's, another version's, damaged."""

    @property
    def purpose(self) -> str:
        """`search`, `confirmation`, or `trainings` of graphs that the config names."""
        return "" if self.config is None else purpose_of(self.config)


def overview(storage: Storage) -> list[Overview]:
    """Every study, by name. One that cannot be read is listed with its problem and does not hide the others."""
    found = []
    for name in sorted(study_names(storage)):
        try:
            study = open_study(storage, name)
            found.append(Overview(name, study.config, Monitor(study).snapshot(), None))
        except ColganError as error:
            found.append(Overview(name, None, None, str(error)))
    return found
