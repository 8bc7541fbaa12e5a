"""Asks Optuna's pruners about a running trial, aware of its gates; the answer is kept with the trial and holds.

A pruner sees the trials that there are as Optuna keeps them: their steps (evaluations from 1, the best score so far)
and its own notes on them (the values at ASHA's rungs), which are written in the same transaction as the step.
"""

import math
import warnings
from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.trial import FrozenTrial, TrialState

from colgan_search.config import PruningSettings, StudyConfig
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Cut, Progress
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.optuna_private.handles import trial_id
from colgan_search.search.proposing.history import SamplersStorage
from colgan_search.search.study.opening import OpenStudy, direction_of
from colgan_search.search.study.trial_attributes import CUT, recorded_cut
from colgan_search.seeds import derive_seed


def earliest(graph: KnowledgeTransferGraph, settings: PruningSettings) -> float:
    """The part of its training, in [0, 1), before which `graph` is not cut: later if a gate of it ramps."""
    ramps = any(gate.ramps for gate in graph.gates)
    return settings.earliest_with_ramps if ramps else settings.earliest


def finishes_anyway(seed: int, settings: PruningSettings) -> bool:
    """Whether the trial of this seed is trained to its end though it would be cut: the same answer everywhere."""
    return derive_seed(seed, "finish anyway") / 2**63 < settings.finish_anyway


PRUNERS: dict[str, Callable[[PruningSettings, int, int], BasePruner]] = {
    "asha": lambda own, first, last: SuccessiveHalvingPruner(first, own.reduction_factor),
    "hyperband": lambda own, first, last: HyperbandPruner(first, last, own.reduction_factor),
    "median": lambda own, first, last: MedianPruner(own.startup_trials, n_warmup_steps=first),
}
"""`pruning.method` -> Optuna's pruner, from its settings and the first and the last evaluation that it may cut at."""


def make_pruner(config: StudyConfig) -> BasePruner:
    """Optuna's pruner of a study whose `pruning` is on. Its steps are evaluations, from 1."""
    settings, every = config.pruning, config.evaluation.every_epochs
    assert every is not None  # the config sees to it
    first = max(1, math.ceil(settings.earliest * config.training.epochs / every))
    last = max(first, (config.training.epochs - 1) // every)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return PRUNERS[settings.method](settings, first, last)


class Judge:
    """Whether trials of one study are cut."""

    def __init__(self, study: OpenStudy) -> None:
        self.study = study
        self.settings = study.config.pruning
        self._others: list[FrozenTrial] = []

    def look(self, number: int) -> None:
        """Reads the other trials: before the transaction of `judged`, in which nobody should wait for long."""
        with self.study.storage.engine.connect() as db:
            study = trial_rows.study_id(db, self.study.name, self.study.uid)
            which = trial_rows.from_number(study, 0)
            found = trial_rows.read(db, which, f"study {self.study.name!r}: its trials", with_steps=True)
        self._others = [trial for trial in found if trial.number != number]

    def judged(
        self, db: sa.Connection, study: int, number: int, graph: KnowledgeTransferGraph, progress: Progress, new: bool
    ) -> Cut | None:
        """Where trial `number` would be cut. Its step `progress.evaluation` was reported in this transaction if it
        is `new`; if not, the pruner was asked before, and is not asked again.

        The first cut is kept as an attribute of the trial. Before the graph's `earliest`, and before `startup_trials`
        are complete, the pruner is asked too, so that its rungs know the trial, and what it says is not heeded.
        """
        where = f"study {self.study.name!r}: trial {number}"
        (trial,) = trial_rows.read(db, trial_rows.numbered(study, number), where, (CUT,), with_steps=True)
        if CUT in trial.user_attrs:  # the answer to an earlier transaction was lost
            return recorded_cut(trial.user_attrs, where)
        if not new:
            return None
        before = dict(trial.system_attrs)
        direction = direction_of(self.study.config)
        view: Any = SamplersStorage(self.study.storage.optuna, study, self._others, trial, direction)
        pruner = make_pruner(self.study.config)
        said = pruner.prune(optuna.Study(self.study.name, view, pruner=pruner), trial)
        notes = {key: value for key, value in trial.system_attrs.items() if key not in before}
        complete = sum(other.state == TrialState.COMPLETE for other in self._others)
        due = progress.epoch >= earliest(graph, self.settings) * progress.epochs
        cut = None
        if said and due and complete >= self.settings.startup_trials and progress.evaluation is not None:
            cut = Cut(evaluation=progress.evaluation, epoch=progress.epoch)
        trial_writes.add(db, trial_id(trial), {}, {} if cut is None else {CUT: cut.model_dump()}, notes)
        return cut
