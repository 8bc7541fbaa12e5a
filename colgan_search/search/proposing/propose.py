"""From a claimed slot to its trial: exactly one Optuna trial per slot, made under the study's lock."""

import copy
import json
import logging
import secrets
import threading
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import TypeAdapter

from colgan_search import presets
from colgan_search.errors import GraphError, LeaseLost, StudyError
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Cut
from colgan_search.search import trust
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.optuna_private.handles import trial_id
from colgan_search.search.proposing import space
from colgan_search.search.proposing.ask_lock import AskLock, LockLost
from colgan_search.search.proposing.history import FIRST, History, SamplersStorage
from colgan_search.search.proposing.sampler import make_sampler
from colgan_search.search.study.opening import OpenStudy, direction_of
from colgan_search.search.study.trial_attributes import CUT, GRAPH, REUSED, SEED, recorded_cut
from colgan_search.seeds import derive_seed

log = logging.getLogger(__name__)

GRAPH_TEXT, SEED_NUMBER = TypeAdapter[str](trust.GraphText), TypeAdapter[int](trust.Seed)

DRAFT = -1
"""Id of a trial that is not in the database yet, as Optuna's `create_trial` has it."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is to do: this graph, with this seed, as this trial of that slot."""

    claim: Claim
    trial_number: int
    graph: KnowledgeTransferGraph
    seed: int
    cut: Cut | None = None
    """Where the pruner would have it end, if it has said so before."""


def assign(study: OpenStudy, claim: Claim) -> Assignment:
    """As `Proposer.assign`, for who asks only once."""
    return Proposer(study, secrets.token_hex(8)).assign(claim)


class Proposer:
    """Gives the claims of one worker their trials; remembers what it has read of the study."""

    def __init__(self, study: OpenStudy, owner: str, drain: threading.Event | None = None) -> None:
        self.study = study
        self.owner = owner
        self.drain = drain or threading.Event()
        self.history = History(study)

    def assign(self, claim: Claim) -> Assignment:
        """The trial of a claimed slot: the one it has (redelivery), or a new one from the sampler.

        LeaseLost if another worker has taken the slot over in the meantime, Interrupted if drained while others ask,
        StudyError if the study was deleted or the trial is not what was proposed.
        """
        number = claim.trial_number
        while number is None:
            if not self.history.fresh:
                # Of a long study this takes seconds for the first time: nobody has to wait for that.
                self.history.refresh()
            try:
                with AskLock(self.study, self.owner, self.drain) as lock:
                    self.history.refresh()
                    running = [trial.number for trial in self.history.running]
                    bound = self.study.slots.bound_trials(claim.slot, running)
                    number = bound.get(claim.slot)  # known if the answer to an earlier attempt was lost
                    if number is None:
                        return self._propose(claim, set(bound.values()), lock)
            except LockLost as lost:
                log.warning("slot %d: %s; asked again", claim.slot, lost)
        return self._recorded(claim, number)

    def end_early(self) -> None:
        """Lowers the study's total if its sampler has seen enough; does nothing for samplers that never end early."""
        search = self.study.config.search
        member = SAMPLERS.get(search.sampler)
        if not member.ends_early:
            return
        self.history.refresh()
        if (enough := member.enough(search, self.history.modelled(None))) is not None:
            self.study.slots.lower_total(enough)

    def _propose(self, claim: Claim, bound: set[int], lock: AskLock) -> Assignment:
        while True:
            draft = self._next(bound)
            try:
                graph = self._suggest(claim, draft)
            except trust.UNREADABLE as error:
                if trial_id(draft) == DRAFT:
                    raise
                # Somebody enqueued a gate that the study has not, or what is no gate at all.
                log.warning("trial %d, enqueued from outside, is told as failed: %s", draft.number, error)
                self._refuse(draft, str(error))
                continue
            number = self._write(claim, draft, graph, lock)
            return Assignment(claim, number, graph, self._seed(number))

    def _next(self, bound: set[int]) -> FrozenTrial:
        """What is proposed next: a trial that was asked of Optuna itself and never given to a slot (nobody else can be
        asking now), what people enqueued, the config's first graphs, and then the sampler's own."""
        search, given = self.study.config.search, self.history.given
        for trial in [*(t for t in self.history.running if t.number not in bound), *self.history.waiting]:
            return copy.deepcopy(trial)
        user: dict[str, Any] = {}
        system: dict[str, Any] = {}
        if given < len(search.first) or not SAMPLERS.get(search.sampler).proposes:
            graph = presets.resolve(search.first[given % len(search.first)], self.study.config.roster)
            user, system = {FIRST: given}, {"fixed_params": space.params_of(graph, search.gates)}
        return optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs=user, system_attrs=system)

    def _suggest(self, claim: Claim, draft: FrozenTrial) -> KnowledgeTransferGraph:
        """Chooses every gate that the draft has not yet. ValueError if it is given one that the study has not."""
        config, study_id = self.study.config, self.history.study_id
        assert study_id is not None, "the history was read before"
        limit = SAMPLERS.get(config.search.sampler).learns_from
        others = [trial for trial in self.history.modelled(limit) if trial_id(trial) != trial_id(draft)]
        view: Any = SamplersStorage(self.study.storage.optuna, study_id, others, draft, direction_of(config))
        search = config.search
        if self.history.total is not None:
            # Not the config's own: `launch` may have been told another, and what was taken over comes on top of it.
            total = self.history.total + sum(REUSED in trial.user_attrs for trial in others)
            search = search.model_copy(update={"trials": max(total, 1)})
        sampler = make_sampler(search, config.seed, claim.slot, self.history.space)
        trial = Trial(optuna.Study(self.study.name, view, sampler), trial_id(draft))
        return space.suggest_graph(trial, config.roster, config.search.gates)

    def _write(self, claim: Claim, draft: FrozenTrial, graph: KnowledgeTransferGraph, lock: AskLock) -> int:
        """The trial with its graph and seed, bound to its slot, and the lock given up: all of it or nothing."""
        known = self.history.params_of(draft)
        chosen = {name: (draft.distributions[name], draft.params[name]) for name in draft.params if name not in known}
        # What samplers share between an ask and its parameters is of no use once these are written too.
        notes = {key: note for key, note in draft.system_attrs.items() if ":relative_params:" not in key}
        with self.study.storage.transaction() as db:
            lock.give_up(db)
            study = trial_rows.study_id(db, self.study.name, self.study.uid, lock=True)
            number, trial = draft.number, trial_id(draft)
            if trial == DRAFT:
                number = trial_writes.count(db, study)
                trial = trial_writes.insert(db, study, number)
            elif draft.state == TrialState.WAITING and not trial_writes.start(db, trial):
                raise LockLost(f"trial {number}, enqueued from outside, was begun by another process")
            attributes = {**draft.user_attrs, GRAPH: graph.to_text(), SEED: self._seed(number)}
            trial_writes.add(db, trial, chosen, attributes, notes)
            if not self.study.slots.bind(claim, number, db):
                raise LeaseLost(f"slot {claim.slot} was taken over while its trial was made")
        return number

    def _refuse(self, draft: FrozenTrial, reason: str) -> None:
        faults = [{"worker": None, "reason": reason, "at": None}]
        with self.study.storage.transaction() as db:
            study = trial_rows.study_id(db, self.study.name, self.study.uid)
            trial_writes.finish(db, study, draft.number, None, {"faults": faults})
        self.history.refresh()

    def _seed(self, number: int) -> int:
        return derive_seed(self.study.config.seed, "trial", number, "replicate", 0)

    def _recorded(self, claim: Claim, number: int) -> Assignment:
        """What the database has of a trial that was proposed before. StudyError if that cannot be."""
        where = f"study {self.study.name!r}: trial {number}"
        with self.study.storage.engine.connect() as db:
            study = trial_rows.study_id(db, self.study.name, self.study.uid)
            found = trial_rows.read(db, trial_rows.numbered(study, number), where, (GRAPH, SEED, CUT))
        if not found:
            raise StudyError(f"{where} is gone from the database")
        text = trust.read(GRAPH_TEXT, found[0].user_attrs.get(GRAPH), f"{where}: {GRAPH}")
        seed = trust.read(SEED_NUMBER, found[0].user_attrs.get(SEED), f"{where}: {SEED}")
        cut = recorded_cut(found[0].user_attrs, where)
        try:
            graph = space.graph_of(found[0].params, self.study.config.roster)
            recorded = KnowledgeTransferGraph.from_text(text)
        except (GraphError, ValueError) as error:
            raise StudyError(f"{where}: {error}; {trust.CHANGED}") from error
        if graph != recorded:
            raise StudyError(f"{where}: {json.dumps(found[0].params)} is not its graph {recorded.to_text()}")
        return Assignment(claim, number, graph, seed, cut)
