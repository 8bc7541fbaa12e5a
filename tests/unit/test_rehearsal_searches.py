"""One rehearsed search, on tables small enough to count by hand."""

from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from colgan_search.errors import UnknownMember
from colgan_search.gates import PAPER_GATES
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.rehearsal.functions import FAMILIES
from colgan_search.rehearsal.measured import Measured
from colgan_search.rehearsal.problem import FLOOR, Problem
from colgan_search.rehearsal.strategies import STRATEGIES, NsgaIi, Strategy
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
    # Values 5, 4 and 1.5 (the better generator's), alike in both trainings: no noise.
    searched = search(Measured(tiny_table()), InTurn(POOR, FAIR, GOOD), [1, 2, 3], workers=1, seed=0)
    assert [point.regret for point in searched.by_trials] == pytest.approx([3.5, 1.0, 0.0])
    assert [point.visited for point in searched.by_trials] == pytest.approx([3.5, 1.0, 0.0])
    assert [point.trials for point in searched.by_trials] == [1, 2, 3]
    assert searched.unit == "IS"


def drawn(problem: Problem, text: str, number: int) -> np.ndarray:  # type: ignore[type-arg]
    """[number, M, k]: scores of so many trainings of one graph."""
    rng, graph = np.random.default_rng(0), KnowledgeTransferGraph.from_text(text)
    return np.array([problem.train(graph, rng).scores for _ in range(number)])


def test_trainings_of_a_table_have_its_mean_value_and_its_noise() -> None:
    """By hand: G1 is away from its mean 14 by -1, 0, 1, G2 from 15 by 0, 1, -1; moments alike. Values 15, 16, 15."""
    rows = [row(GOOD, 0, 13.0, 15.0), row(GOOD, 1, 14.0, 16.0), row(GOOD, 2, 15.0, 14.0)]
    problem = Measured(tiny_table(*rows))
    scores = drawn(problem, GOOD, 20_000)
    four_errors = 4 / np.sqrt(20_000)  # of a mean; a variance of 1 has less noise than sqrt(2) times that
    assert problem.judged(KnowledgeTransferGraph.from_text(GOOD)) == pytest.approx(46 / 3) == problem.best
    assert scores[:, -1].max(axis=1).mean() == pytest.approx(46 / 3, abs=four_errors)
    # Either generator may have either's noise: variances (1 + 1) / 2, covariance -1 / 2 (n - 1 = 2 in both).
    assert np.cov(scores[:, -1].T) == pytest.approx(np.array([[1.0, -0.5], [-0.5, 1.0]]), abs=1.5 * four_errors)
    assert scores[:, 0] == pytest.approx(scores[:, 1] - 1.0)
    assert (scores[:, -1, 1] - scores[:, -1, 0]).mean() == pytest.approx(1.0, abs=2 * four_errors)


def test_the_best_of_noisy_generators_is_worth_what_it_was_in_the_table() -> None:
    """Both means are 15, and a value of 16 each time: means and noise alone would give 15 + sqrt(2)."""
    problem = Measured(tiny_table(row(GOOD, 0, 14.0, 16.0), row(GOOD, 1, 16.0, 14.0)))
    assert drawn(problem, GOOD, 50)[:, -1].max(axis=1) == pytest.approx(np.full(50, 16.0))


def test_noise_is_shared_by_graphs_in_which_as_many_generators_learn() -> None:
    """FAIR was twice the same, but two generators learn there, as in GOOD; POOR has one that learns, twice the same."""
    rows = [row(GOOD, 0, 14.0, 14.0), row(GOOD, 1, 16.0, 16.0), row(FAIR, 2, 12.0, 12.0), row(FAIR, 3, 12.0, 12.0)]
    problem = Measured(tiny_table(*rows, row(POOR, 4, 13.0, 1.0), row(POOR, 5, 13.0, 1.0)))
    # Variances 2 and 0: 1 in both.
    for text in (GOOD, FAIR):
        assert drawn(problem, text, 4000)[:, -1, 0].var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 4000))
    assert np.unique(drawn(problem, POOR, 50)[:, -1], axis=0).tolist() == [[13.0, 1.0]]
    once = drawn(Measured(tiny_table(*rows[:3])), FAIR, 4000)  # a single training has the noise of others, too
    assert once[:, -1, 0].var() == pytest.approx(2.0, abs=8 * np.sqrt(2 / 4000))


def test_a_graph_that_learns_now_and_then_keeps_its_noise_to_itself() -> None:
    rows = [row(GOOD, 0, 1.0, 14.0), row(GOOD, 1, 1.0, 14.0), row(GOOD, 2, 1.0, 1.0)]
    problem = Measured(tiny_table(*rows, row(POOR, 3, 1.0, 12.0), row(POOR, 4, 1.0, 12.0)))
    assert np.unique(drawn(problem, POOR, 50)[:, -1], axis=0).tolist() == [[1.0, 12.0]]
    assert np.unique(drawn(problem, GOOD, 50)[:, -1], axis=0).tolist() == [[1.0, 1.0], [1.0, 14.0]]
    assert problem.judged(KnowledgeTransferGraph.from_text(GOOD)) == pytest.approx(29 / 3)


def test_what_was_trained_once_has_no_noise_and_no_score_is_below_the_floor() -> None:
    rows = [row(GOOD, 0, 3.0, 5.0), row(POOR, 1, 1.0, 1.0), row(POOR, 2, 1.4, 1.0)]
    problem = Measured(tiny_table(*rows))
    assert np.unique(drawn(problem, GOOD, 5)[:, -1], axis=0).tolist() == [[3.0, 5.0]]
    values = drawn(problem, POOR, 50)[:, -1].max(axis=1)
    assert values.min() == FLOOR < values.max()


def test_a_table_diverges_as_often_as_its_trainings_did() -> None:
    lost = {"diverged": True, "scores": ((2.0, None), (None, None))}
    rows = [row(GOOD, 0, 1.0, 1.0, **lost), *(row(GOOD, trial, 1.0, 5.0) for trial in (1, 2, 3))]
    problem, good = Measured(tiny_table(*rows)), KnowledgeTransferGraph.from_text(GOOD)
    rng = np.random.default_rng(0)
    diverged = [problem.train(good, rng).diverged for _ in range(1000)]
    assert abs(np.mean(diverged) - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 1000)
    assert problem.judged(good) == pytest.approx(0.25 * FLOOR + 0.75 * 5.0)
    once = Measured(tiny_table(*rows[:2]))  # one whole training, and one that diverged
    assert {once.train(good, rng).value for _ in range(50)} == {FLOOR, 5.0}


def test_trainings_take_the_tables_median_more_or_less() -> None:
    rows = [row(GOOD, trial, 1.0, 5.0, seconds=seconds) for trial, seconds in enumerate((3600.0, 7200.0, 360000.0))]
    problem, good = Measured(tiny_table(*rows)), KnowledgeTransferGraph.from_text(GOOD)
    rng = np.random.default_rng(0)
    hours = np.array([problem.train(good, rng).hours for _ in range(2000)])
    assert np.log(hours).mean() == pytest.approx(np.log(2.0), abs=4 * 0.25 / np.sqrt(2000))
    assert np.log(hours).std() == pytest.approx(0.25, abs=4 * 0.25 / np.sqrt(2 * 2000))
    assert problem.mean_hours == pytest.approx(hours.mean(), abs=4 * 0.6 / np.sqrt(2000))


def test_a_diverged_training_is_worth_the_floor_and_shows_no_scores() -> None:
    lost = row(GOOD, 0, 1.0, 1.0, diverged=True, scores=((2.0, None), (None, None)))
    problem = Measured(tiny_table(lost, row(FAIR, 1, 4.0, 4.0)))
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
    searched = search(Measured(tiny_table(*rows)), InTurn("G1=D:t,G2:t/G2=G1:t"), [1], workers=1, seed=0)
    assert searched.by_trials[0].regret == 0.0


def test_evolution_goes_on_where_proposals_become_the_nearest_measured_graph() -> None:
    """Optuna's NSGA-II counts a generation by what it noted of each trial; without it, it stays random for good."""
    studies: list[optuna.Study] = []

    class Small(NsgaIi):
        def sampler(self, problem: Problem, trials: int, seed: int) -> BaseSampler:
            return optuna.samplers.NSGAIISampler(population_size=4, seed=seed)

        def winner(self, study: optuna.Study, problem: Problem, seed: int) -> int | None:
            studies.append(study)
            return super().winner(study, problem, seed)

    search(Measured(tiny_table(row(GOOD, 0, 1.0, 5.0), row(POOR, 1, 1.5, 1.2))), Small(), [13], workers=1, seed=0)
    trials = studies[-1].get_trials(states=(TrialState.COMPLETE, TrialState.FAIL))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.FAIL}
    generations = [trial.system_attrs["NSGAIISampler:generation"] for trial in trials]
    assert generations == sorted(generations) and set(generations) == {0, 1, 2, 3}


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
