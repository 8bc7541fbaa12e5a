"""Which graph of a study is believed best."""

import numpy as np
import optuna
from optuna.study import StudyDirection
from optuna.trial import TrialState

from colgan_search.sampling import trials as graph_trials
from colgan_search.sampling.history import Seen
from colgan_search.sampling.proposing import mean_values, model_of
from colgan_search.surrogate import GraphModel

MOST_GRAPHS = 700
"""Of more distinct graphs the model learns from some (see `GraphModel.of_codes`): it is a matter of seconds."""


def winners_model(seen: Seen) -> GraphModel:
    """The model by which a winner is named: unlike a proposal's, which has to be quick, all trials tell how it is."""
    return model_of(seen, MOST_GRAPHS, all_tell=True)


def name_winner(study: optuna.Study, *, scores: str = "is_mean") -> int:
    """The number of a complete trial of the graph that is believed best, among the graphs that were tried.

    Not the luckiest trial: a graph is believed to be worth the mean value of its trials, as its own trials, those of
    graphs like it and all generators' scores (the user attribute `scores`; see `GraphSampler`) tell together. Of the
    graph's trials it is the one with the best value. ValueError for a study of several objectives, one whose latest
    complete trial is not of a graph, and one with no complete trial that has a finite value or finite scores.
    """
    graph_trials.single_objective(study)
    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        raise ValueError("the study has no complete trial")
    space = graph_trials.found_space(complete[-1].distributions)
    wanted = complete[-1].distributions
    if space is None:
        raise ValueError("the parameters of the study's latest complete trial are not the gates of a graph's edges")
    ours = [
        trial
        for trial in complete
        if trial.distributions == wanted and graph_trials.scores_of(trial, space.roster.generators, scores) is not None
    ]
    if not ours:
        raise ValueError("the study has no complete trial whose value or scores are finite")
    seen = graph_trials.seen(ours, space, wanted, study.direction, scores)
    keys, first = np.unique(seen.keys, return_index=True)
    belief = winners_model(seen).values(seen.codes[first]) if space.modelled else mean_values(seen)
    best = keys[belief.argmax()]
    sign = 1.0 if study.direction == StudyDirection.MAXIMIZE else -1.0
    of_it = [trial for trial, key in zip(ours, seen.keys, strict=True) if key == best]
    return max(of_it, key=lambda trial: sign * (trial.value or 0.0)).number
