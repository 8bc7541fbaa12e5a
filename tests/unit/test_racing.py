"""The race of `confirm`: its mathematics against SciPy and numbers worked out by hand, its rules step by step."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats

from colgan_search.evaluation.comparing import Verdict
from colgan_search.racing import posterior as model
from colgan_search.racing.answer import answer, mean_of
from colgan_search.racing.rules import BASELINE, FINAL, RACE, Rules, Run, named, next_run, wanted

VALUES = [[6.1, 6.2, 6.3], [6.0, 6.1], [5.2, 5.3, 5.1, 5.2]]


def test_the_pooled_deviation_is_the_anovas() -> None:
    # Sums of squares 0.02, 0.005 and 0.02; 2 + 1 + 3 degrees of freedom.
    assert model.pooled_sd(VALUES) == (pytest.approx((0.045 / 6) ** 0.5), 6)
    assert model.pooled_sd([[1.0], [2.0]])[1] == 0


def test_the_posterior_is_the_one_that_numerical_integration_gives() -> None:
    """Two graphs: the difference of their values, by SciPy's quadrature over noise and tau."""
    values = [[6.3, 6.1, 6.2, 6.25], [6.1, 6.0, 6.15, 5.95]]
    means = np.array([np.mean(one) for one in values])
    s, freedom, n = model.pooled_sd(values)[0], 6, 4
    d = float(means[0] - means[1])

    def density(tau: float, variance: float) -> float:
        # With m flat only d speaks of tau: d ~ N(0, 2 (sigma^2 / n + tau^2)).
        return float(stats.norm.pdf(d, 0, (2 * (variance / n + tau * tau)) ** 0.5) / (1 + tau * tau / variance))

    def given_noise(variance: float) -> float:
        def shrunk(tau: float) -> float:
            return density(tau, variance) * d * tau * tau / (tau * tau + variance / n)

        ends = 0.0, 30 * s
        return integrate.quad(shrunk, *ends)[0] / integrate.quad(density, *ends, args=(variance,))[0]

    noise = stats.invgamma(freedom / 2, scale=freedom * s * s / 2)
    mean = integrate.quad(lambda v: noise.pdf(v) * given_noise(v), 1e-5, 0.15)[0]

    belief = model.posterior(values, np.random.default_rng(0), draws=40_000)
    assert belief.mean[0] - belief.mean[1] == pytest.approx(mean, abs=0.006)
    assert 0 < belief.mean[0] - belief.mean[1] < d  # drawn towards each other, and not all the way


def test_graphs_far_apart_are_hardly_drawn_together_and_equal_ones_share_the_chance() -> None:
    belief = model.posterior(VALUES, np.random.default_rng(0))
    assert belief.mean == pytest.approx([6.2, 6.05, 5.2], abs=0.03)
    assert belief.best_probabilities[2] == 0.0
    alike = model.posterior([[1.0, 2.0, 3.0]] * 4, np.random.default_rng(0))
    assert alike.best_probabilities == pytest.approx([0.25] * 4, abs=0.03)


def test_one_diverged_run_does_not_drown_the_rest() -> None:
    values = [[6.1, 6.12, 6.08, 1.0], [5.5, 5.52, 5.48, 5.5], [5.6, 5.61, 5.58, 5.6]]
    fenced = np.concatenate(model.fenced(values))
    low, high = np.quantile(np.concatenate(values), [0.25, 0.75])
    assert fenced.min() == pytest.approx(low - 3 * (high - low))
    clean = [[6.1, 6.12, 6.08], [5.5, 5.52, 5.48, 5.5]]
    assert all((one == np.array(of)).all() for one, of in zip(model.fenced(clean), clean, strict=True))


def test_runs_that_are_all_alike_are_no_error() -> None:
    belief = model.posterior([[2.0, 2.0], [1.0, 1.0]], np.random.default_rng(0))
    assert belief.best_probabilities == pytest.approx([1.0, 0.0])


def test_without_replicates_nothing_is_believed() -> None:
    with pytest.raises(ValueError, match="noise"):
        model.posterior([[1.0], [2.0]], np.random.default_rng(0))
    with pytest.raises(ValueError, match="needs a run"):
        model.posterior([[1.0, 2.0], []], np.random.default_rng(0))


RULES = Rules(("a", "b", "c"), ("mad-gan",), seeds=3, until=0.95)


def play(rules: Rules, value: dict[str, float], noise: float = 0.0, seed: int = 0) -> list[Run]:
    """A whole race of one worker."""
    rng = np.random.default_rng(seed)
    runs: list[Run] = []
    while len(runs) < wanted(rules, runs):
        role, graph = next_run(rules, runs, seed=len(runs), draws=400)
        runs.append(Run(graph, role, value[graph] + noise * rng.standard_normal()))
    return runs


def test_every_candidate_gets_its_first_runs_in_the_order_of_the_ranking() -> None:
    assert RULES.race_budget == 6 and RULES.budget == 12
    runs: list[Run] = []
    for _ in range(6):
        runs.append(Run(next_run(RULES, runs, 0)[1], RACE, None))
    assert [run.graph for run in runs] == ["a", "b", "c"] * 2


def test_a_leader_that_stands_out_is_named_at_once_and_the_race_is_shorter() -> None:
    rules = replace(RULES, seeds=10)
    runs = play(rules, {"a": 5.0, "b": 6.0, "c": 5.0, "mad-gan": 5.0}, noise=0.01)
    assert [run.role for run in runs] == [RACE] * 6 + [FINAL] * 10 + [BASELINE] * 10
    assert named(runs) == "b"
    found = answer(rules, runs)
    assert (found.done, found.wanted, found.separated) == (26, 26, True)
    assert rules.budget == 40


def test_graphs_that_are_alike_take_the_whole_budget_and_no_more() -> None:
    rules = replace(RULES, until=0.999999)
    runs = play(rules, dict.fromkeys(["a", "b", "c", "mad-gan"], 5.0), noise=0.1)
    assert len(runs) == rules.budget
    assert not answer(rules, runs).separated
    assert sum(run.role == FINAL for run in runs) == sum(run.role == BASELINE for run in runs) == 3


def test_no_winner_is_named_while_the_race_still_runs_and_there_is_other_work() -> None:
    begun = [Run(graph, RACE, 5.0 + 0.1 * i) for i, graph in enumerate("abcabc")]
    waiting = [*begun[:-1], replace(begun[-1], value=None)]
    rules = replace(RULES, until=0.99)
    for _ in range(3):
        role, graph = next_run(rules, waiting, 0)
        assert (role, graph) == (BASELINE, "mad-gan")
        waiting.append(Run(graph, role, None))
    # All baselines are begun: the race does not stand still for ever.
    assert next_run(rules, waiting, 0)[0] == FINAL
    assert next_run(rules, begun, 0)[0] == FINAL


def test_the_duel_is_among_the_leaders_and_spreads_over_what_runs_already() -> None:
    rng = np.random.default_rng(1)
    rules = Rules(("a", "b", "c", "d"), (), seeds=50, until=0.999)
    true = {"a": 5.0, "b": 6.0, "c": 6.02, "d": 4.5}
    runs = [Run(g, RACE, true[g] + 0.1 * rng.standard_normal()) for g in "abcdabcdabcd"]
    chosen = [next_run(rules, runs, seed)[1] for seed in range(60)]
    assert set(chosen) == {"b", "c"}
    assert 15 < chosen.count("b") < 45
    assert [next_run(rules, runs, seed)[1] for seed in range(60)] == chosen  # the same seed, the same answer
    busy = [*runs, *[Run("c", RACE, None)] * 6]
    assert {next_run(rules, busy, seed)[1] for seed in range(30)} == {"b", "c"}


def test_one_candidate_needs_no_race() -> None:
    rules = Rules(("a",), (), seeds=4, until=0.95)
    runs = play(rules, {"a": 5.0}, noise=0.1)
    assert [run.role for run in runs] == [FINAL] * 4
    found = answer(rules, runs)
    assert found.winner == "a" and found.mean is not None and found.mean.runs == 4


def test_the_interval_is_students_and_of_the_winners_own_runs_alone() -> None:
    own = [6.1, 6.3, 6.2, 6.4]
    race = [Run(graph, RACE, value) for graph, value in zip("abcabc", [9.0, 5, 5, 9.2, 5, 5.1], strict=True)]
    runs = [*race, *[Run("a", FINAL, value) for value in own], *[Run("mad-gan", BASELINE, v) for v in (6.0, 6.1, 5.9)]]
    found = answer(RULES, runs)
    assert found.winner == "a" and found.mean is not None
    low, high = stats.t.interval(0.95, 3, loc=np.mean(own), scale=stats.sem(own))
    assert (found.mean.value, found.mean.low, found.mean.high) == pytest.approx((6.25, low, high))
    (against,) = found.baselines
    welch = stats.ttest_ind(own, [6.0, 6.1, 5.9], equal_var=False).confidence_interval(0.95)
    assert against.difference is not None and against.verdict is Verdict.YES
    assert (against.difference.low, against.difference.high) == pytest.approx((welch.low, welch.high))
    assert found.standings[0].graph == "a" and found.standings[0].runs == 6
    assert mean_of([2.0]).low is None


def test_a_winner_that_is_a_baseline_is_not_compared_with_itself() -> None:
    rules = Rules(("mad-gan",), ("mad-gan", "all-through"), seeds=2, until=0.95)
    runs = play(rules, {"mad-gan": 5.0, "all-through": 4.0}, noise=0.01)
    same, other = answer(rules, runs, {"dcgan": [4.0, 4.1]}).baselines[0], answer(rules, runs).baselines[1]
    assert same.same and same.difference is None
    assert other.verdict is Verdict.YES
    assert answer(rules, runs, {"dcgan": [4.0, 4.1]}).baselines[2].baseline == "dcgan"
