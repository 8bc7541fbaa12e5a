"""What pruning has cut, and how often it was wrong: by the trials that it would have cut and that were finished."""

from collections.abc import Iterable
from dataclasses import dataclass

from colgan_search.records import Objective
from colgan_search.search.study.results import TrialRecord


@dataclass(frozen=True)
class Cuts:
    """Counts of one study's trials."""

    pruned: int
    """Ended early."""
    finished: int
    """Complete though they would have been cut: drawn by `pruning.finish_anyway`."""
    above_median: int
    """Of `finished`, those that are in the better half of all complete trials: wrong cuts, had they been made."""
    top_quarter: int
    """Of `finished`, those in the best quarter of all complete trials."""


NO_CUTS = Cuts(0, 0, 0, 0)


def cuts(records: Iterable[TrialRecord], objective: Objective) -> Cuts:
    """The cuts among these trials. A trial's place is 1 more than the number of complete trials that are better.

    It is in the best quarter if its place is at most a quarter of their number, and above the median likewise.
    """
    records = list(records)
    complete = [trial for trial in records if trial.state == "complete" and trial.value is not None]
    ranks = [objective.rank(trial.value) for trial in complete if trial.value is not None]
    places = [
        1 + sum(rank < objective.rank(trial.value) for rank in ranks)
        for trial in complete
        if trial.cut is not None and trial.value is not None
    ]
    return Cuts(
        pruned=sum(trial.state == "pruned" for trial in records),
        finished=len(places),
        above_median=sum(place <= len(ranks) / 2 for place in places),
        top_quarter=sum(place <= len(ranks) / 4 for place in places),
    )
