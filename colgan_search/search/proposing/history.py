"""A study's trials as one worker has read them, each finished one once, and what a sampler is shown of them."""

import math
import time
from bisect import insort
from collections.abc import Container
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.optuna_private.handles import trial_id
from colgan_search.search.proposing import space
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.trial_attributes import REUSED

FIRST = "first"
"""User attribute of the trials that come from the config's `search.first`: 0, 1, ..."""

FRESH_SECONDS = 30.0
"""So little is new after this time that it can be read under the lock."""

BEST = 25
"""Optuna's TPE never takes more trials than this for good ones."""


class History:
    """Reads what is new whenever it is asked to. Belongs to one worker, and is not for two threads at once."""

    def __init__(self, study: OpenStudy) -> None:
        self.study = study
        self.space = space.distributions(study.config.roster, study.config.search.gates)
        self.study_id: int | None = None
        self.given = 0
        """The number of trials that were given from the config's first graphs."""
        self.total: int | None = None
        """How many results the study wants, for a sampler that sees all trials; else None."""
        self._last_id = -1
        self._read_at = -math.inf
        self._open: dict[int, FrozenTrial] = {}
        self._complete: list[FrozenTrial] = []
        self._failed: list[FrozenTrial] = []
        self._sees_all = SAMPLERS.get(study.config.search.sampler).sees_all
        self._best: list[FrozenTrial] = []
        self._pruned: list[FrozenTrial] = []

    def refresh(self) -> int:
        """Reads the trials that are new, and again those that had not ended. Their number.

        StudyError if the study has been deleted.
        """
        search = self.study.config.search
        attributes = [*((FIRST,) if search.first else ()), *SAMPLERS.get(search.sampler).reads]
        if self._sees_all:
            attributes += [self.study.config.objective.number, REUSED]
        steps = self.study.config.pruning.on  # samplers place a pruned trial by how far it came
        with self.study.storage.engine.connect() as db:
            study = trial_rows.study_id(db, self.study.name, self.study.uid)
            which = trial_rows.newer(study, self._last_id, list(self._open))
            found = trial_rows.read(db, which, f"study {self.study.name!r}: its trials", attributes, with_steps=steps)
            self.total = self.study.slots.total(db) if self._sees_all else None
        self.study_id, self._read_at = study, time.monotonic()
        for trial in found:
            self.given += FIRST in trial.user_attrs and trial_id(trial) not in self._open
            self._last_id = max(self._last_id, trial_id(trial))
            self._open.pop(trial_id(trial), None)
            if not trial.state.is_finished():
                self._open[trial_id(trial)] = trial
            elif trial.state == TrialState.COMPLETE and self._fits(trial):
                insort(self._complete, trial, key=lambda t: t.number)
                insort(self._best, trial, key=lambda t: (self._rank(t), t.number))
                del self._best[BEST:]
            elif trial.state == TrialState.PRUNED and self._fits(trial):
                insort(self._pruned, trial, key=lambda t: t.number)
            elif self._sees_all and self._fits(trial):
                self._failed.append(trial)
        return len(found)

    def _rank(self, trial: FrozenTrial) -> float:
        assert trial.value is not None  # it is complete
        return self.study.config.objective.rank(trial.value)

    @property
    def fresh(self) -> bool:
        """True if it was read a short time ago."""
        return time.monotonic() - self._read_at < FRESH_SECONDS

    def _fits(self, trial: FrozenTrial) -> bool:
        """True if the trial is of this study's space; others can only come from outside."""
        return trial.distributions == self.space

    @property
    def running(self) -> list[FrozenTrial]:
        """Trials that were begun and have not ended, in the order of their numbers."""
        return self._in_state(TrialState.RUNNING)

    @property
    def waiting(self) -> list[FrozenTrial]:
        """Trials that people have enqueued, in the order of their numbers."""
        return self._in_state(TrialState.WAITING)

    def _in_state(self, state: TrialState) -> list[FrozenTrial]:
        return sorted((t for t in self._open.values() if t.state == state), key=lambda t: t.number)

    def params_of(self, trial: FrozenTrial) -> dict[str, Any]:
        """What the database has of the parameters of an unfinished trial."""
        known = self._open.get(trial_id(trial))
        return {} if known is None else known.params

    def modelled(self, limit: int | None) -> list[FrozenTrial]:
        """The trials that a sampler learns from, in the order of their numbers: complete, pruned and running ones, and
        failed ones if it sees all.

        Of more than `limit` complete ones the best and the latest; of the pruned the latest.
        """
        complete, pruned = self._complete, self._pruned[-limit:] if limit else self._pruned
        if limit is not None and len(complete) > limit:
            latest = complete[len(complete) - limit + BEST :]
            older = {trial.number: trial for trial in self._best if trial.number < latest[0].number}
            complete = [*(older[number] for number in sorted(older)), *latest]
        return sorted([*complete, *pruned, *self._failed, *filter(self._fits, self.running)], key=lambda t: t.number)


class SamplersStorage:
    """The storage of a study as its sampler sees it: the trials that were read, and one draft that is not yet written.

    What a sampler notes on the draft stays on it; what it keeps with the study goes to the database.
    """

    def __init__(
        self,
        storage: BaseStorage,
        study_id: int,
        trials: list[FrozenTrial],
        draft: FrozenTrial,
        direction: StudyDirection,
    ) -> None:
        self._storage, self._study_id, self._trials, self._draft = storage, study_id, trials, draft
        self._direction = direction

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_study_id_from_name(self, study_name: str) -> int:
        """Known already."""
        return self._study_id

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Known already."""
        return [self._direction]

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Those that were read; never a copy, as no sampler changes them."""
        return [trial for trial in self._trials if states is None or trial.state in states]

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """The draft."""
        return self._draft

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """The draft's."""
        return self._draft.system_attrs

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """A note on the draft."""
        self._draft.system_attrs[key] = value

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """A note on the draft."""
        self._draft.user_attrs[key] = value

    def set_trial_param(self, trial_id: int, name: str, number: float, distribution: BaseDistribution) -> None:
        """Nothing: Optuna's trial has noted it on the draft by itself."""
