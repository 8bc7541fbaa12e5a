"""A study's graphs with their estimates: against numbers worked out by hand and the model's own answers."""

from collections.abc import Sequence

import numpy as np
import optuna
import pytest

from colgan_search.config import StudyConfig, parse_config
from colgan_search.gates import PAPER_GATES
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import GeneratorScore, Scores
from colgan_search.roster import Roster
from colgan_search.sampling import name_winner
from colgan_search.search.proposing.space import distributions, params_of
from colgan_search.search.ranking.estimates import Ranking, columns, rank
from colgan_search.search.study.results import TrialRecord
from colgan_search.surrogate import GraphModel
from colgan_search.symmetry import canonical, distinct_graphs
from tests.fake_worker import PROTOCOL

CONFIG = parse_config(
    {"name": "a", "k": 2, "data": {"name": "digits"}, "transfer": {"kind": "image"}, "search": {"sampler": "tpe"}},
    "test",
)
FID = parse_config(CONFIG.model_dump(mode="json") | {"search": {"sampler": "tpe", "objective": "fid"}}, "test")
ONE_WAY, TURNED, MAD = "G1=D:t/G2=D:t,G1:p", "G1=D:t,G2:p/G2=D:t", "G1=D:t/G2=D:t"


def trial(number: int, graph: str, scores: Sequence[float] | None, config: StudyConfig = CONFIG) -> TrialRecord:
    """A complete trial with these scores of G1, G2; None = it diverged."""
    objective = config.objective
    generators = tuple(
        GeneratorScore(metrics={"is_mean": 2.0, "is_std": 0.0} | {objective.number: score}) for score in scores or ()
    )
    made = Scores(generators=generators, protocol=PROTOCOL, objective=objective) if generators else None
    value = objective.worst if made is None else made.value
    return TrialRecord(number, "complete", value, graph, made, number, 1.0, "w", None if made else "NaN", None, None)


def ranked(trials: Sequence[TrialRecord], config: StudyConfig = CONFIG) -> Ranking:
    found = rank(trials, config)
    assert found is not None
    return found


def test_relabelled_trials_are_runs_of_one_graph_and_their_generators_are_aligned() -> None:
    # The pupil of the first is G2, of the second G1: 3 and 5 are the pupil's.
    found = ranked([trial(0, ONE_WAY, (2.0, 3.0)), trial(1, TURNED, (5.0, 4.0)), trial(2, MAD, (1.5, 1.6))])
    both = next(one for one in found.graphs if one.runs == 2)
    assert both.graph == canonical(KnowledgeTransferGraph.from_text(ONE_WAY))
    assert sorted(both.generators) == [3.0, 4.0]  # teachers 2 and 4, pupils 3 and 5
    assert both.mean == 4.0  # of the values 3 and 5
    assert both.sd == pytest.approx(2**0.5)
    assert both.best_run.number == 1 and both.best_run.graph == TURNED
    assert [one.number for one in both.trials] == [1, 0]


def test_the_standard_error_of_one_run_is_the_studys_pooled_deviation() -> None:
    trials = [trial(0, MAD, (3.0, 1.0)), trial(1, MAD, (3.2, 1.0)), trial(2, MAD, (3.4, 1.0))]
    trials += [trial(3, ONE_WAY, (2.0, 1.0)), trial(4, ONE_WAY, (2.4, 1.0)), trial(5, "G1=-/G2=D:t", (1.0, 2.0))]
    found = ranked(trials)
    pooled = ((0.08 + 0.08) / 3) ** 0.5  # sums of squares 0.08 of three runs and 0.08 of two
    assert found.sd_of_runs == pytest.approx(pooled)
    by_runs = {one.runs: one for one in found.graphs}
    assert by_runs[1].error == pytest.approx(pooled)
    assert by_runs[3].error == pytest.approx(pooled / 3**0.5)


def test_many_runs_speak_for_themselves_and_no_replicates_say_nothing() -> None:
    values = [3.0, 3.1, 3.2, 3.3, 3.4]
    found = ranked([*(trial(i, MAD, (v, 1.0)) for i, v in enumerate(values)), trial(9, ONE_WAY, (2.0, 1.0))])
    many = next(one for one in found.graphs if one.runs == 5)
    assert many.error == pytest.approx(np.std(values, ddof=1) / 5**0.5)
    alone = ranked([trial(0, MAD, (3.0, 1.0)), trial(1, ONE_WAY, (2.0, 1.0))])
    assert alone.sd_of_runs is None and alone.best.error is None and alone.best.sd is None


@pytest.mark.parametrize("config", [CONFIG, FID], ids=["is", "fid"])
def test_a_run_that_diverged_is_not_taken_for_the_noise_of_all(config: StudyConfig) -> None:
    """By hand: the accident counts as the outer fence of all runs, three interquartile ranges beyond the quartile."""
    sign = 1 if config.objective.higher_is_better else -1
    values = [5.0, 5.2, 5.4, 5.6, 5.8, 6.0, 6.2]
    worse = 0.0 if sign > 0 else -100.0
    trials = [trial(i, MAD, (sign * v, sign * v), config) for i, v in enumerate(values)]
    alone = ranked(trials, config).sd_of_runs
    trials.append(trial(7, MAD, (sign * worse, sign * worse), config))
    low, high = np.quantile([*values, worse], [0.25, 0.75])
    assert alone == pytest.approx(np.std(values, ddof=1))
    expected = np.std([*values, low - 3 * (high - low)], ddof=1)
    assert ranked(trials, config).sd_of_runs == pytest.approx(expected)


def test_graphs_are_ranked_by_the_model_and_the_luckiest_run_stands_beside() -> None:
    """Four good runs of one graph outweigh one lucky run of another."""
    rng = np.random.default_rng(0)
    trials = [trial(i, MAD, tuple(5.0 + 0.05 * rng.standard_normal(2))) for i in range(8)]
    trials += [trial(8 + i, ONE_WAY, (4.0, 4.0 + 0.05 * i)) for i in range(7)]
    trials.append(trial(15, ONE_WAY, (4.0, 5.4)))
    found = ranked(trials)
    assert found.best.graph == canonical(KnowledgeTransferGraph.from_text(MAD))
    luckiest = found.luckiest
    assert luckiest.trial.number == 15 and luckiest.measured
    assert luckiest.flattered_by == pytest.approx(5.4 - np.mean([4.0 + 0.05 * i for i in range(7)]))
    assert found.best.estimate_sd is not None and found.best.estimate == pytest.approx(found.best.mean, abs=0.05)
    model = GraphModel.fit(
        [canonical(KnowledgeTransferGraph.from_text(str(one.graph))) for one in trials],
        [one.of("is_mean") for one in trials],
        gates=CONFIG.search.gates,
    )
    believed = model.best([found.best.graph])
    assert found.best.estimate_sd == pytest.approx(float(believed.sd[0]), rel=0.05)
    # The mean of the better one of two that are alike lies above either's.
    assert found.best.estimate > float(believed.mean[0])


def test_a_minimised_objective_is_ranked_the_other_way_round() -> None:
    trials = [trial(i, MAD, (30.0 + i, 30.5 + i), FID) for i in range(3)]
    trials += [trial(3 + i, ONE_WAY, (40.0 + i, 40.5 + i), FID) for i in range(3)]
    found = ranked(trials, FID)
    assert found.best.graph == canonical(KnowledgeTransferGraph.from_text(MAD))
    assert found.best.mean == 31.0 and found.best.best_run.value == 30.0
    assert found.luckiest.flattered_by == pytest.approx(31.5 - 30.0)
    assert 25.0 < found.best.estimate < 35.0


def test_a_diverged_run_counts_with_the_worst_score() -> None:
    found = ranked([trial(0, MAD, (3.0, 2.0)), trial(1, MAD, None), trial(2, ONE_WAY, (2.0, 2.5))])
    both = next(one for one in found.graphs if one.runs == 2)
    assert both.mean == 2.0 and sorted(both.generators) == [1.5, 2.0]


def test_without_complete_trials_there_is_no_ranking_and_one_graph_needs_no_model() -> None:
    assert rank([], CONFIG) is None
    found = ranked([trial(0, MAD, (3.0, 1.0)), trial(1, MAD, (3.2, 1.0))])
    assert found.best.estimate == pytest.approx(3.1) and found.best.estimate_sd is None
    assert sorted(columns(CONFIG)) == sorted(found.best.as_row())
    assert found.best.as_row()["generator_mean_G1"] == pytest.approx(3.1)


@pytest.mark.parametrize("config", [CONFIG, FID], ids=["is", "fid"])
def test_the_graph_that_is_named_is_that_of_name_winner(config: StudyConfig) -> None:
    """One rule for who reads the study with this program and with Optuna alone."""
    dice, objective = np.random.default_rng(3), config.objective
    distinct = list(distinct_graphs(Roster(2), PAPER_GATES))
    worth = {graph: dice.normal(size=2) for graph in distinct}
    study = optuna.create_study(direction="maximize" if objective.higher_is_better else "minimize")
    space = distributions(Roster(2), PAPER_GATES)
    trials = []
    for number in range(40):
        graph = distinct[dice.integers(30)]
        scores = (5.0 + worth[graph] + dice.normal(size=2)).tolist()
        trials.append(trial(number, graph.to_text(), scores, config))
        study.add_trial(
            optuna.trial.create_trial(
                value=trials[-1].value,
                params=params_of(graph, PAPER_GATES),
                distributions=space,
                user_attrs={objective.number: scores},
            )
        )
    best = ranked(trials, config).best
    number = name_winner(study, scores=objective.number)
    assert best.runs > 1 and number == best.best_run.number
    assert best.best_run.number != ranked(trials, config).luckiest.trial.number, "not the luckiest run's graph"
