"""Optuna's samplers by name: valid graphs, and never the same seed twice."""

import pytest

from colgan_search.gates import CUTOFF, POSITIVE, THROUGH
from colgan_search.search.proposing import propose
from tests.fleet import fake_config, make_study


@pytest.mark.parametrize("name", ["tpe", "random", "gp", "nsgaii"])
def test_every_sampler_proposes_valid_graphs_before_and_after_it_models(name: str, prepared_url: str) -> None:
    gates = ["through", "cutoff", "positive"]
    config = fake_config(k=2, search={"sampler": name, "startup_trials": 2, "gates": gates})
    study = make_study(prepared_url, 8, config)
    graphs = []
    for i in range(5):
        claim = study.slots.claim(f"w{i}", 60.0)
        assert claim is not None
        assignment = propose.assign(study, claim)
        graphs.append(assignment.graph)
        study.load().tell(assignment.trial_number, float(i))
    study.storage.close()
    assert len(graphs) == 5 and all(graph.k == 2 for graph in graphs)
    assert {gate for graph in graphs for gate in graph.gates} <= {THROUGH, CUTOFF, POSITIVE}


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_slots_and_studies_have_different_seeds_and_one_slot_always_the_same(name: str, prepared_url: str) -> None:
    """Proposals made at once, from the same (empty) history."""
    proposals: dict[int, list[str]] = {}
    for seed in (7, 8):
        config = fake_config(f"s{seed}", k=3, seed=seed, search={"sampler": name})
        study = make_study(prepared_url, 6, config)
        for i in range(6):
            claim = study.slots.claim(f"w{i}", 60.0)
            assert claim is not None
            proposals.setdefault(seed, []).append(propose.assign(study, claim).graph.to_text())
        again = make_study(prepared_url, 1, fake_config(f"again{seed}", k=3, seed=seed, search={"sampler": name}))
        claim = again.slots.claim("w", 60.0)
        assert claim is not None
        assert propose.assign(again, claim).graph.to_text() == proposals[seed][0]
        study.storage.close()
        again.storage.close()
    assert len({*proposals[7], *proposals[8]}) == 12
