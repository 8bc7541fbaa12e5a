"""From a claim to a trial: exactly one per slot, whatever dies in between."""

from collections.abc import Iterator
from contextlib import nullcontext

import optuna
import pytest
from optuna.trial import TrialState

from colgan_search import presets
from colgan_search.errors import LeaseLost, StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search import propose, space
from colgan_search.search.slot_records import Claim
from colgan_search.search.slots import Slots
from colgan_search.search.study import OpenStudy
from colgan_search.seeds import derive_seed
from tests.fleet import fake_config, make_study

LEASE = 60.0


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 20, fake_config(k=2))
    yield made
    made.storage.close()


def _claim(study: OpenStudy, worker: str) -> Claim:
    claim = study.slots.claim(worker, LEASE)
    assert claim is not None
    return claim


def test_an_assignment_is_what_the_trial_records(study: OpenStudy) -> None:
    claim = _claim(study, "w")
    assignment = propose.assign(study, claim)
    (trial,) = study.load().trials
    assert (assignment.trial_number, trial.number, trial.state) == (0, 0, TrialState.RUNNING)
    assert set(trial.params) == {"D->G1", "G2->G1", "D->G2", "G1->G2"}
    assert KnowledgeTransferGraph.from_text(trial.user_attrs["graph"]) == assignment.graph
    assert space.graph_of(trial.params, 2) == assignment.graph
    assert trial.user_attrs["seed"] == assignment.seed == derive_seed(7, "trial", 0, "replicate", 0)
    assert study.slots.bound_trials() == {0: 0}


def test_redelivery_is_the_same_trial_graph_and_seed(study: OpenStudy) -> None:
    first = propose.assign(study, _claim(study, "a"))
    study.slots.release_of(["a"])
    again = propose.assign(study, _claim(study, "b"))
    assert (again.trial_number, again.graph, again.seed) == (first.trial_number, first.graph, first.seed)
    assert len(study.load().trials) == 1


def test_assigning_again_after_a_lost_answer_makes_no_second_trial(study: OpenStudy) -> None:
    claim = _claim(study, "w")
    first = propose.assign(study, claim)
    assert claim.trial_number is None
    assert propose.assign(study, claim) == first
    assert len(study.load().trials) == 1


class Died(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


@pytest.mark.parametrize("point", ["asked", "half suggested", "suggested", "attributes set"])
def test_a_trial_whose_worker_died_before_it_was_bound_is_adopted(
    study: OpenStudy, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_suggest = space.suggest_graph

    def suggest(trial: object, k: int, gates: object) -> object:
        if point == "asked":
            raise Died
        if point == "half suggested":
            trial.suggest_categorical("D->G1", [gate.value for gate in gates])  # type: ignore[attr-defined]
            raise Died
        graph = real_suggest(trial, k, gates)  # type: ignore[arg-type]
        if point == "suggested":
            raise Died
        return graph

    def bind(self: Slots, claim: Claim, number: int) -> bool:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(space, "suggest_graph", suggest)
        patch.setattr(Slots, "bind", bind)
        with pytest.raises(Died):
            propose.assign(study, _claim(study, "a"))
    (orphan,) = study.load().trials
    assert orphan.state == TrialState.RUNNING and study.slots.bound_trials() == {}
    study.slots.release_of(["a"])
    adopted = propose.assign(study, _claim(study, "b"))
    (trial,) = study.load().trials
    assert adopted.trial_number == 0 and adopted.graph == space.graph_of(trial.params, 2)
    assert all(trial.params[name] == value for name, value in orphan.params.items()), "what was chosen stays"
    assert study.slots.bound_trials() == {0: 0}


def test_an_orphan_is_adopted_by_any_slot_but_a_bound_trial_by_none(study: OpenStudy) -> None:
    propose.assign(study, _claim(study, "a"))
    orphan = study.load().ask()
    second = propose.assign(study, _claim(study, "b"))
    third = propose.assign(study, _claim(study, "c"))
    assert (orphan.number, second.trial_number, third.trial_number) == (1, 1, 2)


def test_a_slot_that_was_taken_over_meanwhile_gets_no_trial_from_its_old_owner(study: OpenStudy) -> None:
    claim = _claim(study, "a")
    study.slots.release_of(["a"])
    new = _claim(study, "b")
    assert new.slot == claim.slot
    with pytest.raises(LeaseLost):
        propose.assign(study, claim)
    assert propose.assign(study, new).trial_number == 0, "the trial that was made is not lost"
    assert [trial.number for trial in study.load().trials] == [0]


def test_two_workers_whose_lock_broke_record_one_graph(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one is suggesting, the other adopts its trial: the parameters in the database are the trial's graph."""
    outer, inner = _claim(study, "a"), _claim(study, "b")
    real = space.suggest_graph
    others: list[object] = []

    def suggest(trial: object, k: int, gates: object) -> object:
        if not others:
            others.append(None)
            trial.suggest_categorical("D->G1", [gate.value for gate in gates])  # type: ignore[attr-defined]
            with monkeypatch.context() as patch:
                patch.setattr(type(study.storage), "lock", lambda self, name: nullcontext())
                others.append(propose.assign(study, inner))
        return real(trial, k, gates)  # type: ignore[arg-type]

    monkeypatch.setattr(space, "suggest_graph", suggest)
    with pytest.raises(LeaseLost):
        propose.assign(study, outer)
    (trial,) = study.load().trials
    assert others[1].graph == space.graph_of(trial.params, 2)  # type: ignore[attr-defined]
    assert trial.user_attrs["graph"] == others[1].graph.to_text()  # type: ignore[attr-defined]
    assert study.slots.bound_trials() == {inner.slot: 0}
    assert propose.assign(study, outer).trial_number == 1


class TestOrder:
    def test_the_configs_first_graphs_come_first_once_each(self, prepared_url: str) -> None:
        config = fake_config(k=2, search={"first": ["mad-gan", "G1=D:t/G2=G1:p"]})
        study = make_study(prepared_url, 5, config)
        graphs = [propose.assign(study, _claim(study, f"w{i}")).graph for i in range(4)]
        trials = study.load().trials
        study.storage.close()
        assert graphs[0] == presets.resolve("mad-gan", 2)
        assert graphs[1].to_text() == "G1=D:t/G2=G1:p"
        assert [trial.user_attrs.get("first") for trial in trials] == [0, 1, None, None]

    def test_what_people_enqueue_is_honoured_and_displaces_no_first_graph(self, prepared_url: str) -> None:
        study = make_study(prepared_url, 9, fake_config(k=2, search={"first": ["mad-gan"]}))
        wanted = KnowledgeTransferGraph.from_text("G1=D:n,G2:p/G2=D:p")
        study.load().enqueue_trial(space.params_of(wanted, study.config.search.gates))
        study.load().enqueue_trial({"D->G1": "negative"})
        graphs = [propose.assign(study, _claim(study, f"w{i}")).graph for i in range(3)]
        later = KnowledgeTransferGraph.from_text("G1=-/G2=D:t")
        study.load().enqueue_trial(space.params_of(later, study.config.search.gates))
        graphs.append(propose.assign(study, _claim(study, "w3")).graph)
        states = {trial.state for trial in study.load().trials}
        study.storage.close()
        assert graphs[0] == wanted
        assert dict(graphs[1].to_json()["edges"])["D->G1"] == "negative"
        assert graphs[2] == presets.resolve("mad-gan", 2)
        assert graphs[3] == later
        assert states == {TrialState.RUNNING}

    def test_an_enqueued_gate_that_the_study_has_not_is_told_as_failed(self, study: OpenStudy) -> None:
        study.load().enqueue_trial({"D->G1": "sideways"})
        assignment = propose.assign(study, _claim(study, "w"))
        bad, good = study.load().trials
        assert bad.state == TrialState.FAIL and "sideways" in bad.user_attrs["faults"][0]["reason"]
        assert (assignment.trial_number, good.state) == (1, TrialState.RUNNING)

    def test_a_crash_after_enqueueing_a_first_graph_does_not_repeat_it(
        self, prepared_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ask(self: optuna.Study, *_: object) -> None:
            raise Died

        study = make_study(prepared_url, 5, fake_config(k=2, search={"first": ["mad-gan", "all-through"]}))
        with monkeypatch.context() as patch:
            patch.setattr(optuna.Study, "ask", ask)
            with pytest.raises(Died):
                propose.assign(study, _claim(study, "a"))
        study.slots.release_of(["a"])
        graphs = [propose.assign(study, _claim(study, w)).graph for w in "bc"]
        trials = study.load().trials
        study.storage.close()
        assert graphs == [presets.resolve("mad-gan", 2), presets.resolve("all-through", 2)]
        assert len(trials) == 2


def test_a_trial_whose_parameters_were_changed_by_hand_is_refused(study: OpenStudy) -> None:
    claim = _claim(study, "w")
    propose.assign(study, claim)
    trial = study.load().trials[0]
    other = "G1=-/G2=-" if trial.user_attrs["graph"] != "G1=-/G2=-" else "G1=D:t/G2=-"
    study.storage.optuna.set_trial_user_attr(trial._trial_id, "graph", other)
    with pytest.raises(StudyError, match="is not its graph"):
        propose.assign(study, claim)
