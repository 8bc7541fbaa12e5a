"""From a claim to a trial: exactly one per slot, whatever dies in between."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from optuna.trial import FrozenTrial, Trial, TrialState

from colgan_search import presets
from colgan_search.errors import Interrupted, LeaseLost, StudyError
from colgan_search.gates import Gate
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.roster import Roster
from colgan_search.search.budget.slot_records import Claim
from colgan_search.search.database.tables import now, studies
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import ask_lock, history, propose, space
from colgan_search.search.study.opening import OpenStudy
from colgan_search.seeds import derive_seed
from tests.fleet import fake_config, make_study, rows_of

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
    assert space.graph_of(trial.params, Roster(2)) == assignment.graph
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


@pytest.mark.parametrize("point", ["suggesting", "writing"])
def test_a_worker_that_dies_before_its_trial_is_written_leaves_nothing(
    study: OpenStudy, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_lock, "LEASE_SECONDS", 0.2)  # which a dead worker's lock has to run out of

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(*((space, "suggest_graph") if point == "suggesting" else (trial_writes, "add")), die)
        with pytest.raises(Died):
            propose.assign(study, _claim(study, "a"))
    assert study.load().trials == [] and study.slots.bound_trials() == {}
    study.slots.release_of(["a"])
    assert propose.assign(study, _claim(study, "b")).trial_number == 0
    assert study.slots.bound_trials() == {0: 0}


@pytest.mark.parametrize("point", ["asked", "half suggested", "suggested", "attributes set"])
def test_a_trial_that_was_asked_of_optuna_and_never_bound_is_adopted(study: OpenStudy, point: str) -> None:
    trial = study.load().ask()
    gates = [gate.name for gate in study.config.search.gates]
    if point == "half suggested":
        trial.suggest_categorical("D->G1", gates)
    if point in ("suggested", "attributes set"):
        graph = space.suggest_graph(trial, Roster(2), study.config.search.gates)
    if point == "attributes set":
        trial.set_user_attr("graph", graph.to_text())
        trial.set_user_attr("seed", derive_seed(7, "trial", 0, "replicate", 0))
    (orphan,) = study.load().trials
    assert orphan.state == TrialState.RUNNING and study.slots.bound_trials() == {}
    adopted = propose.assign(study, _claim(study, "b"))
    (trial_now,) = study.load().trials
    assert adopted.trial_number == 0 and adopted.graph == space.graph_of(trial_now.params, Roster(2))
    assert all(trial_now.params[name] == value for name, value in orphan.params.items()), "what was chosen stays"
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
    assert study.load().trials == [], "nothing of it was written"
    assert propose.assign(study, new).trial_number == 0
    assert [trial.number for trial in study.load().trials] == [0]


def test_who_lost_the_lock_while_it_proposed_writes_nothing_and_asks_again(
    study: OpenStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a worker that was paused under the lock: another takes it over in the middle of the proposal."""
    outer, inner = _claim(study, "a"), _claim(study, "b")
    real = space.suggest_graph
    others: list[propose.Assignment] = []

    def suggest(trial: Trial, k: int, gates: tuple[Gate, ...]) -> KnowledgeTransferGraph:
        graph = real(trial, k, gates)
        monkeypatch.setattr(space, "suggest_graph", real)
        with study.storage.transaction() as db:
            db.execute(studies.update().values(ask_until=now() - 1.0))
        others.append(propose.assign(study, inner))
        return graph

    monkeypatch.setattr(space, "suggest_graph", suggest)
    mine = propose.assign(study, outer)
    first, second = study.load().trials
    assert (others[0].trial_number, mine.trial_number) == (0, 1)
    assert (
        space.graph_of(first.params, Roster(2)) == others[0].graph
        and space.graph_of(second.params, Roster(2)) == mine.graph
    )
    assert study.slots.bound_trials() == {inner.slot: 0, outer.slot: 1}


@pytest.mark.slow
def test_a_living_worker_keeps_the_lock_however_long_its_proposal_takes(
    prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, a proposal longer than the lease: one after the other, two trials, none adopted, no error."""
    monkeypatch.setattr(ask_lock, "LEASE_SECONDS", 4.0)
    studies = [make_study(prepared_url, 4, fake_config(k=2)) for _ in range(2)]
    real = space.suggest_graph
    spans: list[tuple[float, float]] = []
    problems: list[BaseException] = []

    def suggest(trial: Trial, k: int, gates: tuple[Gate, ...]) -> KnowledgeTransferGraph:
        begun = time.monotonic()
        if not spans:
            time.sleep(6.0)  # what is seen is that nothing happens meanwhile
        graph = real(trial, k, gates)
        spans.append((begun, time.monotonic()))
        return graph

    def work(study: OpenStudy, name: str) -> None:
        try:
            propose.assign(study, _claim(study, name))
        except BaseException as problem:
            problems.append(problem)
        finally:
            study.storage.forget_thread()

    monkeypatch.setattr(space, "suggest_graph", suggest)
    threads = [threading.Thread(target=work, args=(study, name)) for study, name in zip(studies, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    monkeypatch.undo()
    trials, bound = studies[0].load().trials, studies[0].slots.bound_trials()
    for study in studies:
        study.storage.close()
    assert problems == [] and len(spans) == 2
    assert spans[0][1] <= spans[1][0], "one after the other"
    assert [trial.number for trial in trials] == sorted(bound.values()) == [0, 1]


def test_a_drain_ends_the_waiting_for_the_lock(study: OpenStudy) -> None:
    drain = threading.Event()
    with ask_lock.AskLock(study, "another", threading.Event()):
        threading.Timer(0.3, drain.set).start()
        with pytest.raises(Interrupted):
            propose.Proposer(study, "me", drain).assign(_claim(study, "me"))
    assert propose.Proposer(study, "me").assign(_claim(study, "me")).trial_number == 0


def test_the_lock_of_a_worker_that_is_known_to_be_dead_is_free_at_once(study: OpenStudy) -> None:
    dead = ask_lock.AskLock(study, "dead", threading.Event())
    assert dead._take()
    study.slots.release_of(["dead"])
    drain = threading.Event()
    drain.set()  # waits for nothing
    assert propose.Proposer(study, "heir", drain).assign(_claim(study, "heir")).trial_number == 0


def test_a_lock_of_before_the_databases_clock_was_set_back_has_run_out(study: OpenStudy) -> None:
    assert ask_lock.AskLock(study, "dead", threading.Event())._take()
    with study.storage.transaction() as db:
        db.execute(studies.update().values(ask_until=now() + 3600.0))
    drain = threading.Event()
    drain.set()
    assert propose.Proposer(study, "heir", drain).assign(_claim(study, "heir")).trial_number == 0


def test_a_long_study_is_read_before_the_lock_and_under_it_only_what_is_new(
    study: OpenStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        propose.assign(study, _claim(study, f"w{i}"))
    study.load().tell(0, 2.0)
    real = trial_rows.read
    reads: list[tuple[int, bool]] = []

    def read(*arguments: Any, **named: Any) -> list[FrozenTrial]:
        found = real(*arguments, **named)
        # The study's own connection is in use.
        ((until,),) = rows_of(study.storage.url_with_password, "SELECT ask_until FROM colgan_studies")
        locked = until > 0.0
        reads.append((len(found), locked))
        return found

    monkeypatch.setattr(trial_rows, "read", read)
    worker = propose.Proposer(study, "late")
    worker.assign(_claim(study, "late"))
    assert reads == [(3, False), (2, True)], "all three; then, under the lock, the two that run"
    study.load().tell(1, 3.0)
    reads.clear()
    worker.assign(_claim(study, "later"))
    assert reads == [(3, True)], "one ended, one runs, the own one is new"
    monkeypatch.setattr(history, "FRESH_SECONDS", 0.0)
    reads.clear()
    worker.assign(_claim(study, "latest"))
    assert reads == [(3, False), (3, True)], "after a training it is read before the lock again"


class TestOrder:
    def test_the_configs_first_graphs_come_first_once_each(self, prepared_url: str) -> None:
        config = fake_config(k=2, search={"first": ["mad-gan", "G1=D:t/G2=G1:p"]})
        study = make_study(prepared_url, 5, config)
        graphs = [propose.assign(study, _claim(study, f"w{i}")).graph for i in range(4)]
        trials = study.load().trials
        study.storage.close()
        assert graphs[0] == presets.resolve("mad-gan", Roster(2))
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
        assert graphs[2] == presets.resolve("mad-gan", Roster(2))
        assert graphs[3] == later
        assert states == {TrialState.RUNNING}

    def test_an_enqueued_gate_that_the_study_has_not_is_told_as_failed(self, study: OpenStudy) -> None:
        study.load().enqueue_trial({"D->G1": "sideways"})
        assignment = propose.assign(study, _claim(study, "w"))
        bad, good = study.load().trials
        assert bad.state == TrialState.FAIL and "sideways" in bad.user_attrs["faults"][0]["reason"]
        assert (assignment.trial_number, good.state) == (1, TrialState.RUNNING)

    def test_a_worker_that_dies_over_a_first_graph_does_not_use_it_up(
        self, prepared_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(*_: object) -> None:
            raise Died

        study = make_study(prepared_url, 5, fake_config(k=2, search={"first": ["mad-gan", "all-through"]}))
        with monkeypatch.context() as patch:
            patch.setattr(trial_writes, "add", die)
            with pytest.raises(Died):
                propose.assign(study, _claim(study, "a"))
        study.slots.release_of(["a"])
        with study.storage.transaction() as db:
            db.execute(studies.update().values(ask_until=0.0))
        graphs = [propose.assign(study, _claim(study, w)).graph for w in "bc"]
        trials = study.load().trials
        study.storage.close()
        assert graphs == [presets.resolve("mad-gan", Roster(2)), presets.resolve("all-through", Roster(2))]
        assert len(trials) == 2


def test_a_trial_whose_parameters_were_changed_by_hand_is_refused(study: OpenStudy) -> None:
    claim = _claim(study, "w")
    propose.assign(study, claim)
    trial = study.load().trials[0]
    other = "G1=-/G2=-" if trial.user_attrs["graph"] != "G1=-/G2=-" else "G1=D:t/G2=-"
    study.storage.optuna.set_trial_user_attr(trial._trial_id, "graph", other)
    with pytest.raises(StudyError, match="is not its graph"):
        propose.assign(study, claim)
