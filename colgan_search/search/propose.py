"""From a claimed slot to its trial: exactly one Optuna trial per slot, made under the study's lock."""

import json
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from colgan_search import presets
from colgan_search.errors import LeaseLost
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search import space
from colgan_search.search.sampler import make_sampler
from colgan_search.search.slots import Claim
from colgan_search.search.study import OpenStudy
from colgan_search.seeds import derive_seed

GRAPH, SEED = "graph", "seed"
"""Names of the trial's user attributes that are set before it runs."""


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
    if claim.trial_number is not None:
        return _assignment(study, claim, _trial(study.load(), claim.trial_number))
    optuna_study = study.load(make_sampler(config.search, config.seed, claim.slot))
    with study.storage.lock(f"ask {study.uid}"):
        trial = _adopt_orphan(study, optuna_study) or _ask(study, optuna_study)
        graph = space.suggest_graph(trial, config.k, config.search.gates)
        trial.set_user_attr(GRAPH, graph.to_text())
        trial.set_user_attr(SEED, derive_seed(config.seed, "trial", trial.number, "replicate", 0))
        if not study.slots.bind(claim, trial.number):
            raise LeaseLost(f"slot {claim.slot} was taken over while its trial was made")
    return _assignment(study, claim, _trial(optuna_study, trial.number))


def _ask(study: OpenStudy, optuna_study: optuna.Study) -> Trial:
    """The next proposal; the config's first graphs, then what people enqueued, then the sampler's."""
    number = len(optuna_study.get_trials(deepcopy=False))
    first = study.config.search.first
    if number < len(first) or study.config.search.sampler == "repeat":
        graph = presets.resolve(first[number % len(first)], study.config.k)
        # One at a time: many waiting trials make every ask slow.
        optuna_study.enqueue_trial(space.params_of(graph, study.config.search.gates))
    return optuna_study.ask()


def _adopt_orphan(study: OpenStudy, optuna_study: optuna.Study) -> Trial | None:
    """A trial whose worker died between Optuna's ask and ours binding it: nobody else can be asking now."""
    bound = study.slots.bound_trials()
    for trial in optuna_study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.number not in bound:
            return Trial(optuna_study, trial._trial_id)
    return None


def _trial(optuna_study: optuna.Study, number: int) -> FrozenTrial:
    for trial in optuna_study.get_trials(deepcopy=False):
        if trial.number == number:
            return trial
    raise KeyError(f"trial {number} is not in study {optuna_study.study_name}")


def _assignment(study: OpenStudy, claim: Claim, trial: FrozenTrial) -> Assignment:
    graph = space.graph_of(trial.params, study.config.k)
    recorded = KnowledgeTransferGraph.from_text(trial.user_attrs[GRAPH])
    if graph != recorded:
        raise ValueError(f"trial {trial.number}: {json.dumps(trial.params)} is not its graph {recorded.to_text()}")
    return Assignment(claim, trial.number, graph, int(trial.user_attrs[SEED]))
