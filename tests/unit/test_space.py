"""What Optuna is asked for: one gate per edge, any allowed gate on any edge."""

import optuna
from optuna.distributions import CategoricalDistribution

from colgan_search.gates import CUTOFF, PAPER_GATES, THROUGH
from colgan_search.roster import Roster
from colgan_search.search.proposing.space import distributions, graph_of, params_of, suggest_graph

NAMES = ["D->G1", "G2->G1", "G3->G1", "D->G2", "G1->G2", "G3->G2", "D->G3", "G1->G3", "G2->G3"]


def test_every_edge_of_three_generators_may_carry_every_gate() -> None:
    space = distributions(Roster(3), PAPER_GATES)
    assert space == {n: CategoricalDistribution(("through", "cutoff", "positive", "negative")) for n in NAMES}
    assert len(list(PAPER_GATES)) ** len(space) == 262_144


def test_a_search_over_two_gates_proposes_no_other() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        graph = suggest_graph(trial, Roster(3), (THROUGH, CUTOFF))
        assert set(graph.gates) <= {THROUGH, CUTOFF}
        assert sorted(trial.params) == sorted(NAMES)
        assert graph_of(trial.params, Roster(3)) == graph
        assert params_of(graph, (THROUGH, CUTOFF)) == trial.params
