"""What a live view shows beside the snapshot: how far runs of one graph lie apart, and the last trouble."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from colgan_search.errors import GraphError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.racing.posterior import pooled_sd
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.study.results import best_graph
from colgan_search.symmetry import canonical

TROUBLE_SECONDS = 5.0
"""Between two looks for trouble."""
AT_ONCE = 100
"""Trials that are sorted to their graphs at one look: a millisecond each."""


@dataclass(frozen=True)
class OfBest:
    """The graph of the luckiest run."""

    runs: int
    mean: float
    """Of all its runs."""
    error: float
    """Standard error of that, by the pooled spread of runs of one graph."""
    spread: float
    """Standard deviation of one run."""


@dataclass(frozen=True)
class Trouble:
    """The last fault."""

    trial: int | None
    worker: str | None
    reason: str
    seconds_ago: float | None


class Glance:
    """Belongs to one view; asks the database seldom, and sorts a long study's trials little by little."""

    def __init__(self, monitor: Monitor, clock: Callable[[], float] = time.monotonic) -> None:
        self._monitor = monitor
        self._clock = clock
        self._graph_of: dict[int, KnowledgeTransferGraph] = {}
        self._trouble: Trouble | None = None
        self._asked = float("-inf")

    def of_best(self) -> OfBest | None:
        """None as long as no graph has run twice, or without a result."""
        complete = [one for one in self._monitor.completed if one.graph is not None and one.value is not None]
        new = [one for one in complete if one.number not in self._graph_of]
        for one in new[:AT_ONCE]:
            graph = best_graph(one)
            try:
                self._graph_of[one.number] = canonical(graph)
            except GraphError:  # too many relabellings to compare: every graph stands for itself
                self._graph_of[one.number] = graph
        groups: dict[KnowledgeTransferGraph, list[float]] = defaultdict(list)
        for one in complete:
            if one.number in self._graph_of:
                groups[self._graph_of[one.number]].append(one.value or 0.0)
        sd, freedom = pooled_sd(list(groups.values()))
        if not freedom or not complete or complete[0].number not in self._graph_of:
            return None
        runs = groups[self._graph_of[complete[0].number]]
        return OfBest(len(runs), sum(runs) / len(runs), sd / len(runs) ** 0.5, sd)

    def trouble(self) -> Trouble | None:
        """The last fault of the study; None if there was none."""
        if self._clock() - self._asked >= TROUBLE_SECONDS:
            self._asked = self._clock()
            found = self._monitor.study.slots.last_fault()
            if found is not None:
                trial, entry = found
                ago = None if entry["at"] is None else max(0.0, time.time() - entry["at"])
                self._trouble = Trouble(trial, entry["worker"], entry["reason"], ago)
        return self._trouble
