"""Which edges and gates matter in a study: marginal effects by the model, and Optuna's fANOVA beside it."""

from __future__ import annotations  # so that scikit-learn is imported for who has trials enough

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import optuna
from optuna.trial import TrialState

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.proposing import space
from colgan_search.search.ranking.modelling import model_of_records
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, direction_of
from colgan_search.search.study.results import TrialRecord
from colgan_search.symmetry import canonical, relabellings

if TYPE_CHECKING:
    from colgan_search.surrogate import GraphModel
    from colgan_search.surrogate.effects import Effect

LEAST_TRIALS = 20
LEAST_GRAPHS = 10
"""With fewer, intervals and forests are of no use."""
MOST_COPIES = 1200
"""Relabelled trials that fANOVA's forest is grown on; of more, some are drawn."""

TREES = 16
"""Of fANOVA's forest: Optuna's 64 take 8 s for 170 trials at k = 3."""


@dataclass(frozen=True)
class Insight:
    """What the complete trials of a study say of edges and gates."""

    trials: int
    graphs: int
    """Distinct ones among them."""
    effects: tuple[Effect, ...]
    """In the objective's units, as they are: where lower is better, a good gate's effect is negative."""
    importance: Mapping[str, float]
    """Kind of edges -> share, 0..1, of the values' variance that its edges explain, each by itself (fANOVA); what is
    left to 1 is of several edges together."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        keys = ("edges", "gate", "mean", "low", "high")
        return {
            "trials": self.trials,
            "graphs": self.graphs,
            "effects": [{key: getattr(effect, key) for key in keys} for effect in self.effects],
            "fanova": dict(self.importance),
        }


def insight(study: OpenStudy) -> Insight | str:
    """What matters in the study, or why that cannot be said. Some seconds for some hundred trials."""
    return insight_of(study, results.completed(study))


def insight_of(
    study: OpenStudy,
    records: Sequence[TrialRecord],
    made: Callable[[], GraphModel | None] | None = None,
    *,
    importance: bool = True,
) -> Insight | str:
    """As `insight`, of these complete trials; `made` gives their model to who has it already.

    Without fANOVA, which takes most of the time, if not `importance`.
    """
    config, objective = study.config, study.config.objective
    listed = [record for record in records if record.graph is not None and record.value is not None]
    graphs = [results.best_graph(record) for record in listed]
    if len(listed) < LEAST_TRIALS:
        return f"{len(listed)} complete trials are too few to say which edges and gates matter: at least {LEAST_TRIALS}"
    if len(values := {record.value for record in listed}) == 1:
        return (
            f"{len(listed)} complete trials all have the value {values.pop():g}: nothing tells which edges and gates "
            "matter"
        )
    model = model_of_records(listed, config) if made is None else made()
    if model is None:
        return f"{config.roster} is too large for the model of which edges and gates matter"
    distinct = len({canonical(graph) for graph in graphs})
    if distinct < LEAST_GRAPHS:
        return f"{distinct} distinct graphs are too few to say which edges and gates matter: at least {LEAST_GRAPHS}"
    from colgan_search.surrogate.effects import marginal_effects

    sign = 1.0 if objective.higher_is_better else -1.0
    effects = [_in_units(effect, sign) for effect in marginal_effects(model)]
    return Insight(len(listed), distinct, tuple(effects), _importance(study, graphs, listed) if importance else {})


def _in_units(effect: Effect, sign: float) -> Effect:
    low, high = sorted((sign * effect.low, sign * effect.high))
    return replace(effect, mean=sign * effect.mean, low=low, high=high)


def _importance(
    study: OpenStudy, graphs: Sequence[KnowledgeTransferGraph], records: Sequence[TrialRecord]
) -> dict[str, float]:
    """fANOVA of a study of all relabelled copies of the trials, summed over the edges of a kind."""
    from optuna.importance import FanovaImportanceEvaluator

    from colgan_search.surrogate.effects import KIND_WORDS

    config = study.config
    random = np.random.default_rng(0)
    copies = [
        (copy, record.value) for graph, record in zip(graphs, records, strict=True) for copy in relabellings(graph)
    ]
    if len(copies) > MOST_COPIES:
        copies = [copies[at] for at in sorted(random.choice(len(copies), MOST_COPIES, replace=False))]
    made = optuna.create_study(direction=direction_of(config))
    distributions = space.distributions(config.roster, config.search.gates)
    made.add_trials(
        optuna.trial.create_trial(
            state=TrialState.COMPLETE,
            value=value,
            params=space.params_of(copy, config.search.gates),
            distributions=distributions,
        )
        for copy, value in copies
    )
    found = FanovaImportanceEvaluator(n_trees=TREES, seed=0).evaluate(made)
    kind = {edge.name: KIND_WORDS[edge.kind] for edge in config.roster.edges}
    shares: dict[str, float] = defaultdict(float)
    for name in sorted(kind):
        shares[kind[name]] += float(found.get(name, 0.0))
    return {word: shares[word] for word in KIND_WORDS.values() if word in shares}
