"""What a study has cost, and what its faults have cost of that."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord

SHOWN_FAULTS = 50
"""The latest ones; a study of broken workers has thousands."""


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong over a trial."""

    trial: int | None
    """None if it had none yet."""
    worker: str | None
    kind: str
    """`graph`, `machine` or `vanished`."""
    reason: str
    at: float | None
    """Seconds since 1970 UTC."""
    epoch: int


@dataclass(frozen=True)
class Account:
    """Times in seconds. Trials that were taken over from other studies cost nothing here."""

    trials: int
    """That have ended with a result, pruned and diverged ones included."""
    seconds: float
    """Of training and scoring them, all attempts together as far as they had checkpoints."""
    mean: float | None
    sd: float | None
    """Of one complete trial; None with fewer than two."""
    failed: int
    """Trials without a result: their graphs faulted too often."""
    failed_seconds: float
    """From their begin to their end: an upper bound of what was lost to them."""
    waiting_seconds: float
    """Between begin and end of trials with a result, beyond `seconds`: work that was lost with a worker and done
    again, and waiting for the next one."""
    diverged: int
    pruned: int
    faults: tuple[Fault, ...]
    """The latest ones, the latest first."""
    fault_count: int
    by_kind: dict[str, int]
    first: str | None
    """Begin of the first trial, ISO 8601, UTC."""
    last: str | None
    """End of the last one."""


def account(study: OpenStudy, records: Sequence[TrialRecord]) -> Account:
    """The account of a study whose trials are these."""
    own = [trial for trial in records if trial.reused_from is None]
    done = [trial for trial in own if trial.seconds is not None]
    seconds = [trial.seconds or 0.0 for trial in done]
    complete = [trial.seconds for trial in done if trial.state == "complete" and trial.seconds is not None]
    failed = [trial for trial in own if trial.state == "fail"]
    faults = [
        Fault(slot.trial_number, entry["worker"], entry["kind"], entry["reason"], entry["at"], entry["epoch"])
        for slot in study.slots.faulted()
        for entry in slot.faults
    ]
    faults.sort(key=lambda fault: -(fault.at or 0.0))
    return Account(
        trials=len(done),
        seconds=sum(seconds),
        mean=statistics.fmean(complete) if complete else None,
        sd=statistics.stdev(complete) if len(complete) > 1 else None,
        failed=len(failed),
        failed_seconds=sum(_span(trial) for trial in failed),
        waiting_seconds=sum(max(0.0, _span(trial) - (trial.seconds or 0.0) - 1.0) for trial in done),
        diverged=sum(trial.diverged is not None for trial in own),
        pruned=sum(trial.state == "pruned" for trial in own),
        faults=tuple(faults[:SHOWN_FAULTS]),
        fault_count=len(faults),
        by_kind=dict(Counter(fault.kind for fault in faults)),
        first=min((trial.started for trial in own if trial.started is not None), default=None),
        last=max((trial.finished for trial in own if trial.finished is not None), default=None),
    )


def _span(trial: TrialRecord) -> float:
    """Seconds from a trial's begin to its end, as the database has them: whole ones."""
    if trial.started is None or trial.finished is None:
        return 0.0
    return (datetime.fromisoformat(trial.finished) - datetime.fromisoformat(trial.started)).total_seconds()
