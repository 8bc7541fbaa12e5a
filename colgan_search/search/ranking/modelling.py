"""The model of a study's graphs, from its records: the same one by which `name_winner` names."""

from __future__ import annotations  # so that scikit-learn is imported for who asks the model

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from colgan_search.config import StudyConfig
from colgan_search.search.study.results import TrialRecord, best_graph

if TYPE_CHECKING:
    from colgan_search.surrogate import GraphModel


def model_of_records(records: Iterable[TrialRecord], config: StudyConfig) -> GraphModel | None:
    """What the complete trials among these tell of graphs; scores in the model are larger-is-better.

    None for a space that is too large to be modelled. A diverged trial has the objective's worst score for every
    generator. ValueError without a complete trial.
    """
    from colgan_search.sampling.history import Seen
    from colgan_search.sampling.winner import winners_model
    from colgan_search.surrogate.views import space_of

    space, objective = space_of(config.roster, config.search.gates), config.objective
    if not space.modelled:
        return None
    complete = [trial for trial in records if trial.state == "complete" and trial.graph is not None]
    if not complete:
        raise ValueError("no trial is complete")
    complete.sort(key=lambda trial: trial.number)  # the first ones give the hyperparameters
    scores = [trial.of(objective.number) or (objective.worst,) * config.k for trial in complete]
    sign = 1.0 if objective.higher_is_better else -1.0
    nothing = np.zeros((0, len(config.roster.edges)), dtype=np.int8)
    codes = space.encode(best_graph(trial) for trial in complete)
    return winners_model(Seen(space, codes, sign * np.array(scores, dtype=np.float64), nothing, nothing))
