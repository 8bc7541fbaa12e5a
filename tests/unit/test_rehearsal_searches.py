"""One rehearsed search, on tables small enough to count by hand."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler

from colgan_search.errors import UnknownMember
from colgan_search.gates import PAPER_GATES
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.functions import FAMILIES
from colgan_search.rehearsal.measured import Measured, shrunken
from colgan_search.rehearsal.problem import FLOOR, Problem
from colgan_search.rehearsal.strategies import STRATEGIES, Strategy
from colgan_search.rehearsal.synthetic import MEAN, SD, Noise, synthetic
from colgan_search.rehearsal.workers import search
from colgan_search.roster import Roster
from tests.rehearsal import FAIR, GOOD, POOR, row, tiny_table

optuna.logging.set_verbosity(optuna.logging.ERROR)


class InTurn(Strategy):
    """Proposes given graphs one after another."""

    name = "in-turn"
    words = "a test's"

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
        class Given(RandomSampler):
            def __init__(self, texts: tuple[str, ...]) -> None:
                super().__init__(seed=0)
                self.graphs = [KnowledgeTransferGraph.from_text(text) for text in texts]

            def sample_independent(self, study, trial, name, distribution):  # type: ignore[no-untyped-def]
                graph = self.graphs[trial.number % len(self.graphs)]
                return graph.to_json()["edges"][name]

        return Given(self.texts)


def test_regret_is_the_best_value_minus_that_of_the_named_graph() -> None:
    # Values 5, 4 and 1.5 (the better generator's), alike in both trainings: nothing to shrink.
    searched = search(Measured(tiny_table(), 0), InTurn(POOR, FAIR, GOOD), [1, 2, 3], workers=1, seed=0)
    assert [point.regret for point in searched.by_trials] == pytest.approx([3.5, 1.0, 0.0])
    assert [point.visited for point in searched.by_trials] == pytest.approx([3.5, 1.0, 0.0])
    assert [point.hours for point in searched.by_trials] == pytest.approx([1.0, 2.0, 3.0])
    assert searched.by_time == searched.by_trials and searched.oracle == 0.0
    assert searched.unit == "IS"


def test_the_named_graph_is_judged_by_trainings_that_nobody_drew() -> None:
    # One lucky training of FAIR, 6, and one of 2: whoever draws the 6 names FAIR and is judged by the 2.
    rows = [row(GOOD, 0, 1.0, 5.0), row(GOOD, 1, 1.0, 5.0), row(FAIR, 2, 6.0, 1.0), row(FAIR, 3, 2.0, 1.0)]
    found = set()
    for seed in range(8):
        problem = Measured(tiny_table(*rows), seed)
        searched = search(problem, InTurn(FAIR, GOOD), [2], workers=1, seed=seed)
        (point,) = searched.by_trials
        found.add((round(problem.best - point.regret, 9), round(problem.best - searched.oracle, 9)))
    assert found == {(2.0, 2.0), (5.0, 5.0)}


def test_shrinking_is_one_way_random_effects_among_what_learns() -> None:
    graphs = [KnowledgeTransferGraph.from_text(text) for text in (GOOD, FAIR)]
    means = shrunken({graphs[0]: np.array([5.0, 7.0]), graphs[1]: np.array([1.0, 3.0])})
    # Noise (2 + 2) / 2 = 2; spread of the means 6 and 2: 8; between 8 - 2 / 2 = 7; share 7 / (7 + 1); centre 4.
    assert [means[graph] for graph in graphs] == pytest.approx([4 + 7 / 8 * 2, 4 - 7 / 8 * 2])
    lost = KnowledgeTransferGraph.from_text(POOR)
    three = {graphs[0]: np.array([5.0, 7.0]), graphs[1]: np.array([1.0, 3.0])}
    more = {KnowledgeTransferGraph.from_text(f"G1=D:t/G2=D:{gate}"): np.array([3.0, 5.0]) for gate in "pn"}
    assert shrunken({**three, **more, lost: np.array([-99.0, -99.0])})[lost] == -99.0  # far below, left as it is
    assert (
        shrunken({**three, **more, lost: np.array([-99.0, -99.0])})[graphs[0]] == shrunken({**three, **more})[graphs[0]]
    )
    alone = shrunken({graphs[0]: np.array([5.0]), graphs[1]: np.array([1.0])})
    assert list(alone.values()) == [5.0, 1.0]


def test_a_diverged_training_is_worth_the_floor_and_shows_no_scores() -> None:
    lost = row(GOOD, 0, 1.0, 1.0, diverged=True, scores=((2.0, None), (None, None)))
    problem = Measured(tiny_table(lost, row(FAIR, 1, 4.0, 4.0)), 0)
    training = problem.train(KnowledgeTransferGraph.from_text(GOOD), np.random.default_rng(0))
    assert training.diverged and training.value == FLOOR and training.scores[0].max() == 2.0
    assert problem.judged(KnowledgeTransferGraph.from_text(GOOD)) == FLOOR


@pytest.mark.parametrize("name", ["random", "tpe", "nsgaii", "random-asha"])
def test_no_more_trainings_run_than_there_are_workers_and_every_search_can_be_repeated(name: str) -> None:
    noise = Noise(diverging=0.1, heavy=True)

    def once():  # type: ignore[no-untyped-def]
        problem = synthetic("cliffs", Roster(2), PAPER_GATES, noise, 3)
        return search(problem, STRATEGIES.get(name), [10, 40], workers=16, seed=3)

    searched = once()
    assert searched.most_running == 16
    assert searched == once()
    assert searched.by_trials[-1].trials == 40
    assert (searched.pruned > 0) is (name == "random-asha")
    if name != "random-asha":
        assert searched.by_trials[0].trials == 10
    else:  # what is stopped early costs less, so the same time buys more
        assert searched.by_time[-1].trials > 40 and searched.by_trials[-1].hours < 30


def test_other_workers_trainings_are_seen_as_running() -> None:
    seen = []

    class Watching(RandomSampler):
        def sample_relative(self, study, trial, search_space):  # type: ignore[no-untyped-def]
            seen.append(len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))))
            return {}

    class Watches(InTurn):
        def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
            return Watching(seed=seed)

    search(synthetic("maximum", Roster(2), PAPER_GATES, Noise(), 0), Watches(), [20], workers=5, seed=0)
    assert seen[:6] == [1, 2, 3, 4, 5, 5] and max(seen) == 5


def test_a_proposal_that_was_not_measured_becomes_the_nearest_that_was() -> None:
    rows = [row(GOOD, 0, 1.0, 5.0), row(POOR, 1, 1.5, 1.2)]
    # G1=D:t/G2=- is one edge from each of the two; G1=D:t,G2:t/G2=G1:t is one from GOOD, three from POOR.
    searched = search(Measured(tiny_table(*rows), 0), InTurn("G1=D:t,G2:t/G2=G1:t"), [1], workers=1, seed=0)
    assert searched.by_trials[0].regret == 0.0


@pytest.mark.slow
def test_noise_is_as_large_as_the_function_and_may_be_shared() -> None:
    graph = KnowledgeTransferGraph.from_text("G1=D:t/G2=D:t/G3=D:t")
    for name, shared in (("maximum", 0.0), ("interactions", 0.5)):
        problem = synthetic(name, Roster(3), PAPER_GATES, Noise(), 0)
        rng = np.random.default_rng(0)
        errors = np.array([problem.train(graph, rng).scores[-1] for _ in range(1000)]) - problem.means(graph)
        assert np.allclose(errors.std(axis=0), SD, rtol=0.1)
        assert np.corrcoef(errors.T)[0, 1] == pytest.approx(shared, abs=0.1)
    heavy = synthetic("maximum", Roster(3), PAPER_GATES, Noise(heavy=True, diverging=0.25), 0)
    trainings = [heavy.train(graph, rng) for _ in range(1000)]
    assert np.mean([training.diverged for training in trainings]) == pytest.approx(0.25, abs=0.05)
    assert {training.value for training in trainings if training.diverged} == {FLOOR}
    assert MEAN - 1 < np.median([training.value for training in trainings if not training.diverged]) < MEAN + 1


@pytest.mark.parametrize("registry", [FAMILIES, STRATEGIES])
def test_unknown_names_are_errors_that_list_the_known(registry) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UnknownMember, match=", ".join(registry.names())):
        registry.get("nothing")
    assert all(registry.get(name).words for name in registry.names())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["graph", "tpe-model"])
def test_the_models_strategies_name_a_graph_and_can_be_repeated(name: str) -> None:
    found = [
        search(synthetic("maximum", Roster(2), PAPER_GATES, Noise(ratio=0.1), 0), STRATEGIES.get(name), [40], 4, 0)
        for _ in range(2)
    ]
    assert found[0] == found[1] and found[0].by_trials[0].regret < 1.0


def test_every_family_of_functions_is_in_the_docs_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rehearsal.md").read_text(encoding="utf-8")
    page = page[page.index("## Functions") : page.index("## Strategies")]  # other tables name them as well
    for name in FAMILIES.names():
        assert f"| `{name}` | " in page
