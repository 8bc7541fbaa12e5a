"""Graphs that people add to a running study: they wait in it, and the next workers that ask get them, one each."""

from dataclasses import dataclass

from colgan_search.errors import GraphError, StudyError
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import space
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.trial_attributes import GRAPH

MOST = 1000
"""Runs that are enqueued at once."""


@dataclass(frozen=True)
class Enqueued:
    """Trials that wait now."""

    study: str
    graph: str
    """In text form."""
    trials: tuple[int, ...]
    """Their numbers; the seed of each follows from its number."""
    total: int
    """Results that the study ends with."""
    grown: bool
    """True if that was raised by so many; False if they take slots that the sampler would have filled."""
    done: int
    """Results that it has."""


def enqueue(study: OpenStudy, graph: KnowledgeTransferGraph, count: int = 1, *, grow: bool = False) -> Enqueued:
    """Adds `count` trainings of a graph, each with a seed of its own, before what the sampler would choose next.

    They take slots of the study that nobody has begun or, with `grow`, raise its total; all of them or none. GraphError
    for a graph outside the study's space, StudyError if there are too few slots, or if the study is a confirmation.
    """
    config = study.config
    if not 1 <= count <= MOST:
        raise StudyError(f"{count} runs cannot be enqueued at once: 1 to {MOST}")
    if SAMPLERS.get(config.search.sampler).ends_early:
        raise StudyError(
            f"study {study.name!r} is a confirmation: which graph runs next, and how often, is its race's to decide; "
            "enqueue into the search"
        )
    if graph.roster != config.roster:
        raise GraphError(f"graph {graph.to_text()} is of {graph.roster}; study {study.name!r} is of {config.roster}")
    params = space.params_of(graph, config.search.gates)
    with study.storage.transaction() as db:
        # The slots before Optuna's study, as who writes a proposed trial takes them.
        study.slots.lock(db)
        number_of_study = trial_rows.study_id(db, study.name, study.uid, lock=True)
        waiting = trial_rows.waiting(db, number_of_study)
        total = study.slots.make_room(db, count, waiting, grow)
        first = trial_writes.count(db, number_of_study)
        for number in range(first, first + count):
            trial_writes.enqueue(db, number_of_study, number, params, {GRAPH: graph.to_text()})
    numbers = tuple(range(first, first + count))
    return Enqueued(study.name, graph.to_text(), numbers, total, grow, study.slots.budget().done)
