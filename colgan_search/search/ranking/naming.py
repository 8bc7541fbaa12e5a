"""Which graph and run of a study are shown as its best: by the model's estimate, not by the luckiest run."""

from colgan_search.errors import StudyError
from colgan_search.search.ranking.estimates import Ranking, rank
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord


def ranking(study: OpenStudy) -> Ranking:
    """The study's graphs, best first. StudyError if no trial is complete."""
    found = rank(results.trials(study), study.config)
    if found is None:
        raise StudyError(f"study {study.name!r} has no complete trial yet; `monitor` shows how far it is")
    return found


def best_run(study: OpenStudy) -> TrialRecord:
    """The best run of the graph that the study names. StudyError if no trial is complete."""
    return ranking(study).best.best_run
