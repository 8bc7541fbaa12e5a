"""Which graph and run of a study are shown as its best: by the model's estimate, not by the luckiest run."""

from __future__ import annotations  # so that SciPy is imported for who asks for a race

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colgan_search.errors import StudyError
from colgan_search.search.proposing.race import is_race
from colgan_search.search.ranking.estimates import Ranking, rank
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord

if TYPE_CHECKING:
    from colgan_search.search.ranking.confirmed import Confirmed


@dataclass(frozen=True)
class Named:
    """The graph that a study names now."""

    run: TrialRecord
    """Its best run, whose generators are shown and exported."""
    ranking: Ranking | None
    """Of a search."""
    race: Confirmed | None
    """Of a confirmation."""
    complete: int
    """Complete trials of the study."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.race is not None:
            return {"confirmation": self.race.as_dict()}
        if self.ranking is None:
            return {}
        return {
            "estimate": self.ranking.best.as_dict(),
            "luckiest_run": self.ranking.luckiest.as_dict(),
            "sd_of_runs": self.ranking.sd_of_runs,
            "distinct_graphs": len(self.ranking.graphs),
        }


def named(study: OpenStudy) -> Named:
    """What the study names now. StudyError if no trial is complete."""
    records = results.trials(study)
    complete = results.best_first(records, study.config.objective)
    if complete and is_race(study.config):
        from colgan_search.search.ranking.confirmed import confirmed

        race = confirmed(study)
        runs = [trial for trial in complete if trial.graph == race.answer.leader]
        return Named((runs or complete)[0], None, race, len(complete))
    found = rank(records, study.config)
    if found is None:
        raise StudyError(f"study {study.name!r} has no complete trial yet; `monitor` shows how far it is")
    return Named(found.best.best_run, found, None, len(complete))


def ranking(study: OpenStudy) -> Ranking:
    """The study's graphs, best first. StudyError if no trial is complete."""
    found = rank(results.trials(study), study.config)
    if found is None:
        raise StudyError(f"study {study.name!r} has no complete trial yet; `monitor` shows how far it is")
    return found


def named_run(study: OpenStudy) -> TrialRecord:
    """The best run of the graph that the study names. StudyError if no trial is complete."""
    return named(study).run
