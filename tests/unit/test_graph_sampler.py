"""GraphSampler and name_winner with Optuna alone: Optuna's own suites, and what they do not ask."""

import copy
import pickle
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.testing.pytest_samplers import BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase
from optuna.trial import TrialState

from colgan_search import GraphSampler, KnowledgeTransferGraph, Roster, name_winner
from colgan_search.errors import GraphError
from colgan_search.gates import PAPER_GATES, get_gate
from colgan_search.sampling.candidates import with_any_number_open
from colgan_search.sampling.history import Seen
from colgan_search.sampling.proposing import propose
from colgan_search.search_plan import Plan
from colgan_search.surrogate.views import space_of
from colgan_search.symmetry import canonical, count_distinct

GATES = ["through", "cutoff", "positive", "negative"]
TWO = GATES[:2]
parse = KnowledgeTransferGraph.from_text


class TestOptunasSuites(BasicSamplerTestCase, RelativeSamplerTestCase, SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], optuna.samplers.BaseSampler]:
        return lambda: GraphSampler(k=2, startup_trials=2)


def ask(study: optuna.Study, roster: Roster, gates: Sequence[str]) -> tuple[optuna.Trial, KnowledgeTransferGraph]:
    trial = study.ask()
    chosen = {edge: get_gate(trial.suggest_categorical(edge.name, gates)) for edge in roster.edges}
    return trial, KnowledgeTransferGraph.from_edges(roster, chosen)


def scores(graph: KnowledgeTransferGraph, noise: float = 0.0, rng: Any = None) -> list[float]:
    """G(i) is good if D and others teach it at full weight."""
    found = []
    for node in graph.roster.generator_nodes:
        into = [gate.name for _, gate in graph.incoming(node)]
        found.append(5.0 + into.count("through") - 0.5 * into.count("negative"))
    return found if rng is None else [score + noise * rng.normal() for score in found]


def tell(study: optuna.Study, trial: optuna.Trial, values: Sequence[float]) -> None:
    trial.set_user_attr("is_mean", list(values))
    study.tell(trial, max(values))


def search(roster: Roster, gates: Sequence[str], number: int, workers: int = 1, **options: Any) -> list[Any]:
    """The canonical graphs of a search in which `workers` trials always run at once; and the study."""
    sampler = GraphSampler(roster.generators, gates, discriminators=roster.discriminators, **options)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    rng, running, graphs = np.random.default_rng(0), [], []
    for _ in range(number):
        trial, graph = ask(study, roster, gates)
        graphs.append(canonical(graph).to_text())
        running.append((trial, graph))
        if len(running) == workers:
            trial, graph = running.pop(0)
            tell(study, trial, scores(graph, 0.5, rng))
    return [graphs, study]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("roster", "gates"),
    [(Roster(1), GATES), (Roster(2), GATES), (Roster(3), TWO), (Roster(2, 2), TWO), (Roster(4), TWO), (Roster(6), TWO)],
    ids=str,
)
def test_no_graph_is_tried_twice_by_accident(roster: Roster, gates: list[str]) -> None:
    trials = min(40, count_distinct(roster, len(gates)))
    graphs, _ = search(roster, gates, trials, workers=16, replicates=0.0)
    assert len(set(graphs)) == trials


def test_the_first_graphs_are_unlike_those_before_them() -> None:
    space = space_of(Roster(2), tuple(get_gate(name) for name in TWO))
    through, nothing = space.encode([parse("G1=D:t,G2:t/G2=D:t,G1:t")]), np.empty((0, 4), dtype=np.int8)
    for trained, running in ((through, nothing), (nothing, through)):
        seen = Seen(space, trained, np.zeros((len(trained), 2)), running, nothing)
        proposed = propose(seen, Plan(), np.random.default_rng(0))
        assert space.decode(proposed) == parse("G1=-/G2=-")  # the only graph that differs on every edge


def test_random_graphs_have_any_number_of_open_edges() -> None:
    drawn = with_any_number_open(space_of(Roster(3), PAPER_GATES), 5000, np.random.default_rng(0))
    numbers = Counter((drawn != PAPER_GATES.index(get_gate("cutoff"))).sum(axis=1).tolist())
    # 10 numbers, each with 500 +- 21: what is expected; four of these deviations.
    assert set(numbers) == set(range(10)) and all(abs(times - 500) < 85 for times in numbers.values())
    on_edges = (drawn != PAPER_GATES.index(get_gate("cutoff"))).mean(axis=0)
    assert np.abs(on_edges - 0.5).max() < 4 * 0.5 / 5000**0.5
    uncut = with_any_number_open(
        space_of(Roster(2), (get_gate("through"), get_gate("positive"))), 100, np.random.default_rng(0)
    )
    assert set(np.unique(uncut)) == {0, 1}


@pytest.mark.slow
def test_a_share_of_the_proposals_does_not_heed_the_model() -> None:
    # Whatever is open is bad, so that the model alone proposes graphs with few open edges.
    space, rng = space_of(Roster(3), PAPER_GATES), np.random.default_rng(0)
    codes = space.distinct[rng.choice(len(space.distinct), 40, replace=False)]
    cutoff = space.gates.index(get_gate("cutoff"))
    opened = (codes != cutoff).sum(axis=1)
    seen = Seen(space, codes, np.repeat(9.0 - opened[:, None], 3, axis=1), codes[:0], codes[:0])
    plan = Plan(replicates=0.0)
    proposed = np.array([propose(seen, plan, np.random.default_rng(seed)) for seed in range(80)])
    many = int(((proposed != cutoff).sum(axis=1) >= 5).sum())
    # Of 80 proposals a tenth is unguided, and half of these have five open edges and more: 4 +- 2.
    assert 1 <= many <= 12


@pytest.mark.slow
def test_all_104_graphs_of_table_2_are_tried_once_before_any_is_again() -> None:
    graphs, study = search(Roster(3), TWO, 120, workers=4)
    assert len(set(graphs[:104])) == 104 == count_distinct(Roster(3), 2)
    again = Counter(graphs[104:])
    # Then where it tells most: among the best, not all over.
    means = {text: max(scores(KnowledgeTransferGraph.from_text(text))) for text in set(graphs)}
    middle = np.median(list(means.values()))
    assert all(means[text] > middle for text in again)
    assert name_winner(study) in range(120)


@pytest.mark.slow
def test_a_budget_that_buys_every_graph_trains_each_once_first() -> None:
    graphs, _ = search(Roster(2), GATES, 140, trials=140)
    assert len(set(graphs[:136])) == 136


@pytest.mark.parametrize(
    ("share", "total", "due"),
    [
        # After the 10 first ones, 100 trials with a tenth of them replicates: all in the last 50.
        (0.1, 110, {10: -10, 60: 0, 61: 0.2, 85: 5, 110: 10, 120: 11}),
        # Four fifths do not fit into a half: they take every trial after the first fifth.
        (0.8, 110, {30: 0, 31: 1, 70: 40, 110: 80}),
        (1.0, 110, {10: 0, 11: 1, 110: 100}),
        (0.1, None, {10: 0, 11: 0.1, 110: 10}),
        (0.0, 110, {10: 0, 110: 0}),
    ],
)
def test_replicates_wait_for_the_second_half_of_a_known_total(
    share: float, total: int | None, due: dict[int, float]
) -> None:
    plan = Plan(startup_trials=10, replicates=share, trials=total)
    assert {trials: plan.replicates_due(trials) for trials in due} == pytest.approx(due)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5])
def test_the_share_of_replicates_is_what_was_asked_for(share: float) -> None:
    graphs, _ = search(Roster(4), TWO, 45, workers=4, replicates=share, startup_trials=5)
    assert len(graphs) - len(set(graphs)) == pytest.approx(share * 40, abs=1)


def test_proposals_are_a_function_of_seed_and_history() -> None:
    one, other = (search(Roster(4), TWO, 16, seed=seed)[0] for seed in (1, 1))
    assert one == other != search(Roster(4), TWO, 16, seed=2)[0]


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_relabelling_the_history_changes_no_proposal(data: st.DataObject) -> None:
    roster, gates = data.draw(st.sampled_from([(Roster(2), GATES), (Roster(3), GATES), (Roster(2, 2), TWO)]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    studies = [
        optuna.create_study(
            direction="maximize",
            sampler=GraphSampler(roster.generators, gates, seed=3, discriminators=roster.discriminators),
        )
        for _ in range(2)
    ]
    distribution = optuna.distributions.CategoricalDistribution(gates)
    for number in range(24):
        chosen = tuple(get_gate(gates[i]) for i in rng.integers(len(gates), size=len(roster.edges)))
        graph = KnowledgeTransferGraph(roster, chosen)
        order = data.draw(st.permutations(range(1, roster.generators + 1)))
        late = data.draw(st.permutations(range(1, roster.discriminators + 1)))
        values = scores(graph, 0.5, rng)
        for study, labelled, of in (
            (studies[0], graph, values),
            (studies[1], graph.relabel(order, late), [values[i - 1] for i in order]),
        ):
            done = number < 20  # the last ones are running
            study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.COMPLETE if done else TrialState.RUNNING,
                    value=max(of) if done else None,
                    params={edge.name: gate.name for edge, gate in labelled.items()},
                    distributions={edge.name: distribution for edge in roster.edges},
                    user_attrs={"is_mean": of} if done else {},
                )
            )
    proposals = [canonical(ask(study, roster, gates)[1]) for study in studies]
    assert proposals[0] == proposals[1]


@pytest.mark.slow
def test_a_search_finds_what_is_good_and_names_it_not_the_luckiest_run() -> None:
    best = 5.0 + 3.0  # through from D and from both others
    _, study = search(Roster(3), GATES, 60, workers=8)
    named = study.trials[name_winner(study)]
    chosen = {edge: get_gate(named.params[edge.name]) for edge in Roster(3).edges}
    assert max(scores(KnowledgeTransferGraph.from_edges(Roster(3), chosen))) == best


def test_the_winner_is_the_better_graph_although_another_was_lucky_once() -> None:
    study = optuna.create_study(direction="maximize")
    roster = Roster(1)
    for gate, value in [("through", 6.0), ("through", 6.2), ("through", 6.1), ("cutoff", 5.0), ("cutoff", 6.3)] * 2:
        study.enqueue_trial({"D->G1": gate})
        trial, _ = ask(study, roster, TWO)
        tell(study, trial, [value])
    study.enqueue_trial({"D->G1": "cutoff"})
    trial, _ = ask(study, roster, TWO)
    tell(study, trial, [5.1])
    assert study.best_trial.params["D->G1"] == "cutoff"
    assert name_winner(study) == 1  # the graph's best run


def test_smaller_is_better_where_the_study_minimises() -> None:
    sampler = GraphSampler(2, GATES, startup_trials=5, scores="fid")
    study = optuna.create_study(direction="minimize", sampler=sampler)
    for _ in range(40):
        trial, graph = ask(study, Roster(2), GATES)
        values = [10.0 - score for score in scores(graph)]
        trial.set_user_attr("fid", values)
        study.tell(trial, min(values))
    assert study.trials[name_winner(study, scores="fid")].value == study.best_value == 3.0


@pytest.mark.parametrize("given", [None, [1.0], "many", [1.0, float("nan")], [1.0, True], [1.0, -1e308]])
def test_without_scores_of_each_generator_the_value_is_theirs(given: Any) -> None:
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(2, TWO, startup_trials=3))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(12):
            trial, graph = ask(study, Roster(2), TWO)
            if given is not None:
                trial.set_user_attr("is_mean", given)
            study.tell(trial, max(scores(graph)))
        assert study.best_value == 7.0 == study.trials[name_winner(study)].value
    said = [str(one.message) for one in warned if "2 finite numbers" in str(one.message)]
    assert bool(said) == (given is not None), "that it does not do what was wanted is said"


@pytest.mark.parametrize("of", [np.array, lambda values: [np.float32(one) for one in values], tuple])
def test_scores_may_be_an_array_or_numpys_numbers(of: Callable[[list[float]], Any]) -> None:
    """The values would name the other one: they are the wrong way round."""
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(2, TWO))
    space = {edge.name: optuna.distributions.CategoricalDistribution(TWO) for edge in Roster(2).edges}
    for opened, found in ((set(space), [9.0, 9.0]), (set(), [1.0, 1.0])):
        _add(study, space, opened, of(found), value=-found[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert name_winner(study) == 0


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("size", [sys.float_info.max, 1e160, 1e99])
def test_a_failure_that_is_told_as_a_huge_number_ends_no_search(direction: str, size: float) -> None:
    study = optuna.create_study(direction=direction, sampler=GraphSampler(2, TWO, startup_trials=2))
    sign = 1.0 if direction == "maximize" else -1.0
    for number in range(14):
        trial, graph = ask(study, Roster(2), TWO)
        study.tell(trial, sign * (-size if number % 2 else max(scores(graph))))
    assert sign * (study.trials[name_winner(study)].value or 0.0) > 0.0


def test_a_sampler_can_be_pickled_and_copied_in_the_middle_of_a_search() -> None:
    sampler = GraphSampler(2, GATES, startup_trials=3, seed=5)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for _ in range(6):
        trial, graph = ask(study, Roster(2), GATES)
        tell(study, trial, scores(graph))
    ask(study, Roster(2), GATES)  # one is running
    small = pickle.dumps(sampler)
    assert b"assignments" not in small, "the graphs of its space are listed anew"
    copies = [pickle.loads(small), copy.deepcopy(sampler)]
    proposed = []
    for one in [*copies, sampler]:
        other = copy.deepcopy(study)
        other.sampler = one
        proposed.append(ask(other, Roster(2), GATES)[1])
    assert proposed[0] == proposed[1] == proposed[2]


def test_several_threads_change_no_seed_of_the_graphs() -> None:
    proposed = []
    for reseeded in (False, True):
        sampler = GraphSampler(2, GATES, startup_trials=3, seed=5)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.enqueue_trial({edge.name: "through" for edge in Roster(2).edges})
        for _ in range(6):
            trial, graph = ask(study, Roster(2), GATES)
            tell(study, trial, scores(graph))
            if reseeded:
                sampler.reseed_rng()
        proposed.append([trial.params for trial in study.trials])
    assert proposed[0] == proposed[1]


def test_one_sampler_may_serve_two_studies_at_once() -> None:
    """What it has proposed in one is no running graph of the other, whose trials have the same numbers."""
    sampler = GraphSampler(None, startup_trials=2)
    studies = {k: optuna.create_study(direction="maximize", sampler=sampler) for k in (2, 3)}
    for k, study in studies.items():
        for _ in range(3):
            trial, graph = ask(study, Roster(k), TWO)
            tell(study, trial, scores(graph))
    for k in (3, 2, 3):
        assert len(studies[k].ask().relative_params) == k * k


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k": 2.0}, "k is 2.0"),
        ({"k": True}, "k is True"),
        ({"k": "3"}, "k is '3'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"trials": 2.5}, "trials is 2.5"),
        ({"startup_trials": 1.5}, "startup_trials is 1.5"),
        ({"startup_trials": None}, "startup_trials is None"),
        ({"discriminators": "1"}, "discriminators is '1'"),
        ({"replicates": "0.1"}, "replicates is '0.1'"),
        ({"scores": 3}, "scores is 3"),
    ],
)
def test_what_is_no_number_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        GraphSampler(**options)
    assert GraphSampler(k=np.int64(2), seed=np.int64(1), replicates=np.float32(0.5))


def test_replicates_under_other_labels_are_one_graph_where_there_is_no_model() -> None:
    """k = 6: a graph that scored 10 twice, and one that scored 6."""
    study = optuna.create_study(direction="maximize")
    space = {edge.name: optuna.distributions.CategoricalDistribution(TWO) for edge in Roster(6).edges}
    for opened, found in (({"D->G1"}, [10.0, *[0.0] * 5]), ({"D->G2"}, [0.0, 10.0, *[0.0] * 4])):
        _add(study, space, opened, found)
    _add(study, space, {"D->G1", "D->G2"}, [6.0, 6.0, *[0.0] * 4])
    assert name_winner(study) in (0, 1)


def _add(study: optuna.Study, space: dict[str, Any], opened: set[str], found: Any, value: float | None = None) -> None:
    params = {name: "through" if name in opened else "cutoff" for name in space}
    value, attributes = max(found) if value is None else value, {"is_mean": found}
    study.add_trial(optuna.create_trial(params=params, distributions=space, value=value, user_attrs=attributes))


def test_a_failed_graph_is_not_proposed_again() -> None:
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(2, TWO, startup_trials=2, replicates=0.0))
    seen = []
    for number in range(10):
        trial, graph = ask(study, Roster(2), TWO)
        seen.append(canonical(graph))
        if number % 2:
            study.tell(trial, state=TrialState.FAIL)
        else:
            tell(study, trial, scores(graph))
    assert len(set(seen)) == 10 == count_distinct(Roster(2), 2)


def test_where_every_training_fails_it_goes_on() -> None:
    study = optuna.create_study(sampler=GraphSampler(1, TWO))
    graphs = []
    for _ in range(5):
        trial, graph = ask(study, Roster(1), TWO)
        graphs.append(graph)
        study.tell(trial, state=TrialState.FAIL)
    assert len(graphs) == 5 and len(set(graphs[:2])) == 2, "both graphs, then again"


def test_enqueued_graphs_are_taken_as_they_are_and_learnt_from() -> None:
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(2, GATES, startup_trials=1))
    best = dict.fromkeys([edge.name for edge in Roster(2).edges], "through")
    study.enqueue_trial(best)
    trial, graph = ask(study, Roster(2), GATES)
    assert trial.params == best
    tell(study, trial, scores(graph))
    graphs = {canonical(graph)}
    for _ in range(8):
        trial, graph = ask(study, Roster(2), GATES)
        tell(study, trial, scores(graph))
        graphs.add(canonical(graph))
    assert len(graphs) >= 8


def test_trials_that_are_asked_for_at_once_get_different_graphs() -> None:
    """As in threads: the study has not yet what the first one was given when the second one asks."""
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(3, TWO, startup_trials=1))
    for _ in range(3):
        trial, graph = ask(study, Roster(3), TWO)
        tell(study, trial, scores(graph))
    edges, trials = Roster(3).edges, [study.ask() for _ in range(4)]
    for edge in edges:
        for trial in trials:
            trial.suggest_categorical(edge.name, TWO)
    assert len({tuple(trial.params[edge.name] for edge in edges) for trial in trials}) == 4


@pytest.mark.parametrize("gates", [TWO[::-1], ["through", "positive"], ["a", "b"]])
def test_gates_in_another_order_or_of_another_study_are_no_fault(gates: list[str]) -> None:
    study = optuna.create_study(direction="maximize", sampler=GraphSampler(2, TWO, startup_trials=2))
    names = [edge.name for edge in Roster(2).edges]
    for _ in range(6):
        trial = study.ask()
        chosen = [trial.suggest_categorical(name, gates) for name in names]
        assert set(chosen) <= set(gates)
        tell(study, trial, [chosen.count(gates[0])] * 2)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"k": 0}, GraphError, "k is 0"),
        ({"gates": ["through"]}, ValueError, "two different gates"),
        ({"gates": ["through", "t"]}, ValueError, "two different gates"),
        ({"gates": ["through", "sideways"]}, GraphError, "unknown gate 'sideways'"),
        ({"replicates": 1.5}, ValueError, r"replicates lies in \[0, 1\]"),
        ({"startup_trials": 0}, ValueError, "at least 1"),
        ({"trials": 0}, ValueError, "at least 1"),
        ({"seed": -1}, ValueError, "seed is -1; it is at least 0"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        GraphSampler(**options)


def test_a_study_without_graphs_has_no_winner() -> None:
    study = optuna.create_study()
    with pytest.raises(ValueError, match="no complete trial"):
        name_winner(study)
    study.optimize(lambda trial: trial.suggest_float("x", 0.0, 1.0), n_trials=1)
    with pytest.raises(ValueError, match="not the gates of a graph's edges"):
        name_winner(study)
    with pytest.raises(ValueError, match="several"):
        name_winner(optuna.create_study(directions=["maximize", "maximize"]))


def test_who_does_not_model_does_not_wait_for_scikit_learn() -> None:
    code = (
        "import sys, colgan_search\nfrom colgan_search.config import load_config\n"
        "load_config('digits')\nassert not {'sklearn', 'optuna', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_trial_that_has_some_of_its_parameters_only_makes_no_other_one_random() -> None:
    """Other threads and processes are asked in between two parameters of one trial."""
    _, study = search(Roster(2), GATES, 12)
    for names in (["D->G1"], ["D->G1", "G2->G1"]):
        half = study.ask()
        for name in names:
            half.suggest_categorical(name, GATES)
        assert set(study.ask().relative_params) == {edge.name for edge in Roster(2).edges}
    study.sampler = GraphSampler(k=None)
    half = study.ask()
    half.suggest_categorical("D->G1", GATES)  # by itself it is a graph of one generator
    assert set(study.ask().relative_params) == {edge.name for edge in Roster(2).edges}


def test_a_value_that_is_infinite_is_no_score_and_no_winner() -> None:
    _, study = search(Roster(2), GATES, 12)
    named = name_winner(study)
    trial, _ = ask(study, Roster(2), GATES)
    study.tell(trial, float("inf"))
    assert trial.number != name_winner(study)
    alone = optuna.create_study(direction="maximize", sampler=GraphSampler(k=2))
    trial, _ = ask(alone, Roster(2), GATES)
    alone.tell(trial, float("inf"))
    with pytest.raises(ValueError, match="no complete trial whose value or scores are finite"):
        name_winner(alone)
    assert study.trials[named].state == TrialState.COMPLETE
