"""From a claimed slot to its trial: exactly one Optuna trial per slot, made under the study's lock."""

import json
import logging
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState
from pydantic import TypeAdapter

from colgan_search import presets
from colgan_search.errors import LeaseLost, StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search import space, trust
from colgan_search.search.sampler import make_sampler
from colgan_search.search.slot_records import Claim
from colgan_search.search.study import OpenStudy, trial_of
from colgan_search.seeds import derive_seed

log = logging.getLogger(__name__)

GRAPH, SEED = "graph", "seed"
"""Names of the trial's user attributes that are set before it runs."""

GRAPH_TEXT, SEED_NUMBER = TypeAdapter[str](trust.GraphText), TypeAdapter[int](trust.Seed)

FIRST = "first"
"""User attribute of the trials that come from the config's `search.first`: 0, 1, ..."""


@dataclass(frozen=True)
class Assignment:
    """What a worker is to do: this graph, with this seed, as this trial of that slot."""

    claim: Claim
    trial_number: int
    graph: KnowledgeTransferGraph
    seed: int


def assign(study: OpenStudy, claim: Claim) -> Assignment:
    """The trial of a claimed slot: the one it has (redelivery), or a new one from the sampler.

    LeaseLost if another worker has taken the slot over in the meantime.
    """
    config = study.config
    number = claim.trial_number
    optuna_study = study.load(make_sampler(config.search, config.seed, claim.slot))
    if number is None:
        with study.storage.lock(f"ask {study.uid}"):
            bound = study.slots.bound_trials()
            number = bound.get(claim.slot)  # known if the answer to an earlier attempt was lost
            if number is None:
                number = _new_trial(study, optuna_study, set(bound.values()))
                if not study.slots.bind(claim, number):
                    raise LeaseLost(f"slot {claim.slot} was taken over while its trial was made")
    return _assignment(study, claim, study.trial(optuna_study, number))


def _new_trial(study: OpenStudy, optuna_study: optuna.Study, bound: set[int]) -> int:
    """A running trial with a graph and a seed that belongs to no slot yet; its number."""
    config = study.config
    while True:
        trial = _adopt_orphan(optuna_study, bound) or _ask(study, optuna_study)
        try:
            space.suggest_graph(trial, config.k, config.search.gates)
        except ValueError as error:
            # Only a trial that somebody enqueued can have a gate that the study has not.
            log.warning("trial %d, enqueued from outside, is told as failed: %s", trial.number, error)
            trial.set_user_attr("faults", [{"worker": None, "reason": str(error), "at": None}])
            optuna_study.tell(trial.number, state=TrialState.FAIL)
            continue
        # As recorded: of two that ever write the same parameter, the first one counts.
        graph = space.graph_of(trial_of(optuna_study, trial.number).params, config.k)
        trial.set_user_attr(GRAPH, graph.to_text())
        trial.set_user_attr(SEED, derive_seed(config.seed, "trial", trial.number, "replicate", 0))
        return trial.number


def _ask(study: OpenStudy, optuna_study: optuna.Study) -> Trial:
    """The next proposal: what people enqueued, then the config's first graphs, then the sampler's."""
    search = study.config.search
    trials = optuna_study.get_trials(deepcopy=False)
    given = sum(FIRST in trial.user_attrs for trial in trials)
    if (given < len(search.first) or search.sampler == "repeat") and all(t.state != TrialState.WAITING for t in trials):
        graph = presets.resolve(search.first[given % len(search.first)], study.config.k)
        # One at a time: many waiting trials make every ask slow.
        optuna_study.enqueue_trial(space.params_of(graph, search.gates), user_attrs={FIRST: given})
    return optuna_study.ask()


def _adopt_orphan(optuna_study: optuna.Study, bound: set[int]) -> Trial | None:
    """A trial whose worker died between Optuna's ask and ours binding it: nobody else can be asking now."""
    for trial in optuna_study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.number not in bound:
            return Trial(optuna_study, trial._trial_id)
    return None


def _assignment(study: OpenStudy, claim: Claim, trial: FrozenTrial) -> Assignment:
    where = f"study {study.name!r}: trial {trial.number}"
    text = trust.read(GRAPH_TEXT, trial.user_attrs.get(GRAPH), f"{where}: {GRAPH}")
    seed = trust.read(SEED_NUMBER, trial.user_attrs.get(SEED), f"{where}: {SEED}")
    with trust.reading(where):
        graph, recorded = space.graph_of(trial.params, study.config.k), KnowledgeTransferGraph.from_text(text)
        if graph != recorded:
            raise StudyError(f"{where}: {json.dumps(trial.params)} is not its graph {recorded.to_text()}")
    return Assignment(claim, trial.number, graph, seed)
