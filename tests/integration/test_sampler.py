"""Samplers by name: valid graphs, and never the same seed twice; what `graph` is shown, and that it repeats nothing."""

from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState

from colgan_search.gates import CUTOFF, POSITIVE, THROUGH
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.sampling.history import Seen
from colgan_search.search.proposing import propose
from colgan_search.symmetry import canonical
from tests.fleet import Fleet, fake_config, make_study


@pytest.mark.parametrize("name", ["graph", "tpe", "random", "gp", "nsgaii"])
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


@pytest.mark.parametrize("name", ["graph", "tpe", "random"])
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
    assert [len(set(graphs)) for graphs in proposals.values()] == [6, 6]
    # One graph, as unlike as can be, may be the next of both studies.
    assert len({*proposals[7], *proposals[8]}) >= 11 and proposals[7][0] != proposals[8][0]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
    """What `graph` was shown, proposal by proposal."""
    from colgan_search.sampling import sampler

    found: list[Seen] = []
    real = sampler.propose

    def note(seen: Seen, *others: object) -> object:
        found.append(seen)
        return real(seen, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(sampler, "propose", note)
    return found


@pytest.mark.parametrize("objective", ["is", "fid"])
def test_graph_is_shown_every_generators_score_running_failed_and_enqueued_trials(
    objective: str, prepared_url: str, shown: list[Seen]
) -> None:
    config = fake_config(k=2, search={"sampler": "graph", "objective": objective, "first": ["mad-gan"]})
    study = make_study(prepared_url, 8, config)
    theirs = study.load()
    theirs.enqueue_trial(dict.fromkeys(["D->G1", "D->G2", "G1->G2", "G2->G1"], "through"))
    number = {"is": "is_mean", "fid": "fid"}[objective]
    texts = []
    for i in range(5):
        claim = study.slots.claim(f"w{i}", 60.0)
        assert claim is not None
        mine = propose.assign(study, claim)
        texts.append(mine.graph.to_text())
        trial = theirs._storage.get_trial_id_from_study_id_trial_number(theirs._study_id, mine.trial_number)
        if i < 3:
            theirs._storage.set_trial_user_attr(trial, number, [4.0 + i, 2.0])
            theirs.tell(mine.trial_number, 4.0 + i)
        elif i == 3:
            theirs.tell(mine.trial_number, state=TrialState.FAIL)
    claim = study.slots.claim("last", 60.0)
    assert claim is not None
    assert propose.assign(study, claim).graph.to_text() not in texts
    study.storage.close()
    seen = shown[-1]
    assert [seen.space.decode(row).to_text() for row in seen.codes] == texts[:3]
    assert texts[0] == "G1=D:t,G2:t/G2=D:t,G1:t"  # the enqueued one, then the config's first
    assert texts[1] == "G1=D:t/G2=D:t"
    sign = 1.0 if objective == "is" else -1.0
    np.testing.assert_allclose(seen.scores, sign * np.array([[4.0, 2.0], [5.0, 2.0], [6.0, 2.0]]))
    assert [seen.space.decode(row).to_text() for row in seen.lost] == texts[3:4]
    assert [seen.space.decode(row).to_text() for row in seen.running] == texts[4:5]


def test_graph_in_the_service_visits_every_graph_once_and_then_repeats(prepared_url: str) -> None:
    config = fake_config(k=2, search={"sampler": "graph", "gates": ["through", "cutoff"], "trials": 14})
    study = make_study(prepared_url, 14, config)
    graphs = []
    for i in range(14):
        claim = study.slots.claim(f"w{i}", 60.0)
        assert claim is not None
        assignment = propose.assign(study, claim)
        graphs.append(canonical(assignment.graph))
        study.load().tell(assignment.trial_number, float(i % 5))
    study.storage.close()
    assert len(set(graphs[:10])) == 10 == len(set(graphs))


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_sixteen_workers_repeat_no_graph_but_by_plan(prepared_postgres_url: str, tmp_path: Path) -> None:
    settings = {"sampler": "graph", "sampler_settings": {"replicates": 0.1}, "trials": 300}
    config = fake_config(k=3, search=settings, service={"lease_seconds": 60.0})
    make_study(prepared_postgres_url, 300, config).storage.close()
    with Fleet(prepared_postgres_url, tmp_path, 0.05) as fleet:
        fleet.start(16)
        for process in fleet.processes:
            process.join()
    study = make_study(prepared_postgres_url, 300, config)
    trials = study.load().get_trials(deepcopy=False)
    study.storage.close()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 300
    forms = [canonical(KnowledgeTransferGraph.from_text(trial.user_attrs["graph"])) for trial in trials]
    # The plan: a tenth of all trials but for the ten first ones.
    assert 300 - len(set(forms)) == pytest.approx(29, abs=1)


def test_the_studys_own_total_counts_not_its_configs(prepared_url: str) -> None:
    """`launch --trials 16` with a config of 2: the 10 graphs of this space are all trained before one is again."""
    gates = ["through", "cutoff"]
    settings = {"sampler": "graph", "trials": 2, "startup_trials": 1, "sampler_settings": {"replicates": 0.5}}
    study = make_study(prepared_url, 16, fake_config(k=2, search={**settings, "gates": gates}))
    graphs = []
    for i in range(10):
        claim = study.slots.claim(f"w{i}", 60.0)
        assert claim is not None
        assignment = propose.assign(study, claim)
        graphs.append(canonical(assignment.graph))
        study.load().tell(assignment.trial_number, float(i))
    study.storage.close()
    assert len(set(graphs)) == 10
