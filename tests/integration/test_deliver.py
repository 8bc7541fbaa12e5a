"""From an outcome to a finished trial: spooled, accepted once, told until Optuna knows."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from optuna.trial import TrialState

from colgan_search.records import EpochScores, GeneratorScore, Outcome, Scores
from colgan_search.search.budget.slot_records import Closing
from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.opening import open_storage
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.deliver import Spool, Spooled
from colgan_search.search.proposing import propose
from colgan_search.search.proposing.propose import Assignment
from colgan_search.search.study.opening import OpenStudy, open_study
from tests.fake_worker import PROTOCOL
from tests.fleet import fake_config, make_study, optuna_trials


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 4, fake_config())
    yield made
    made.storage.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "spool")


def assign(study: OpenStudy, worker: str = "w") -> Assignment:
    claim = study.slots.claim(worker, 60.0)
    assert claim is not None
    return propose.assign(study, claim)


def _scores(*is_means: float) -> Scores:
    return Scores(
        generators=tuple(GeneratorScore(metrics={"is_mean": v, "is_std": 0.1}) for v in is_means), protocol=PROTOCOL
    )


def spooled(
    study: OpenStudy, assignment: Assignment, history: tuple[float, ...] = (2.0, 5.0, 3.0), value: float = 3.0
) -> Spooled:
    return Spooled(
        uid=study.uid,
        study=study.name,
        slot=assignment.claim.slot,
        token=assignment.claim.token,
        trial_number=assignment.trial_number,
        worker="w",
        outcome=Outcome(
            graph=assignment.graph.to_text(),
            seed=assignment.seed,
            value=value,
            scores=_scores(1.0, value),
            history=tuple(EpochScores(epoch=i, scores=_scores(v, 1.0)) for i, v in enumerate(history, start=1)),
            iterations=10,
            seconds=1.23456,
            device="cpu",
        ),
    )


def test_a_result_ends_as_a_complete_trial_with_its_attributes(
    study: OpenStudy, spool: Spool, prepared_url: str
) -> None:
    assignment = assign(study)
    path = spool.put(spooled(study, assignment))
    assert deliver.deliver_spooled(study, spool) == [assignment.trial_number]
    assert not path.exists()
    assert deliver.tell_closings(study) == 1
    assert deliver.tell_closings(study) == 0
    (trial,) = optuna_trials(prepared_url)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 3.0)
    assert trial.intermediate_values == {1: 2.0, 2: 5.0, 3: 5.0}, "running maxima, steps from 1"
    assert trial.user_attrs["is_mean"] == [1.0, 3.0] and trial.user_attrs["is_std"] == [0.1, 0.1]
    assert trial.user_attrs["best_generator"] == "G2" and trial.user_attrs["seconds"] == 1.235
    assert trial.user_attrs["scores"]["protocol"] == PROTOCOL.model_dump(mode="json")
    assert "diverged" not in trial.user_attrs


def test_a_diverged_run_is_a_result(study: OpenStudy, spool: Spool, prepared_url: str) -> None:
    result = spooled(study, assign(study), history=(), value=1.0)
    outcome = result.outcome.model_copy(update={"scores": None, "diverged": "loss of D at iteration 3"})
    spool.put(result.model_copy(update={"outcome": outcome}))
    deliver.deliver_spooled(study, spool)
    deliver.tell_closings(study)
    (trial,) = optuna_trials(prepared_url)
    assert (trial.state, trial.value) == (TrialState.COMPLETE, 1.0)
    assert trial.user_attrs["diverged"] == "loss of D at iteration 3" and "is_mean" not in trial.user_attrs


def test_reports_made_on_the_way_are_completed_and_put_right(study: OpenStudy, spool: Spool, prepared_url: str) -> None:
    assignment = assign(study)
    (trial,) = study.load().trials
    study.storage.optuna.set_trial_intermediate_value(trial._trial_id, 1, 2.0)
    study.storage.optuna.set_trial_intermediate_value(trial._trial_id, 3, 3.0)  # by an attempt that missed step 2
    spool.put(spooled(study, assignment))
    deliver.deliver_spooled(study, spool)
    deliver.tell_closings(study)
    assert optuna_trials(prepared_url)[0].intermediate_values == {1: 2.0, 2: 5.0, 3: 5.0}


def test_a_result_of_a_lost_lease_is_dropped(study: OpenStudy, spool: Spool, prepared_url: str) -> None:
    old = assign(study, "paused")
    study.slots.release_of(["paused"])
    new = assign(study, "heir")
    path = spool.put(spooled(study, old, value=9.0))
    assert deliver.deliver_spooled(study, spool) == [] and not path.exists()
    spool.put(spooled(study, new, value=4.0))
    assert deliver.deliver_spooled(study, spool) == [new.trial_number]
    deliver.tell_closings(study)
    assert [trial.value for trial in optuna_trials(prepared_url)] == [4.0]


def test_a_poisoned_graph_is_told_as_failed_with_its_reasons(study: OpenStudy, prepared_url: str) -> None:
    for name in "abc":
        assignment = assign(study, name)
        study.slots.release(assignment.claim, f"broke {name}", max_faults=3)
    assert deliver.tell_closings(study) == 1
    (trial,) = optuna_trials(prepared_url)
    assert trial.state == TrialState.FAIL
    assert [fault["reason"] for fault in trial.user_attrs["faults"]] == ["broke a", "broke b", "broke c"]
    assert study.slots.closings() == [] and len(study.slots.failures()) == 1


def test_two_workers_that_deliver_and_tell_the_same_results_at_once(
    study: OpenStudy, spool: Spool, prepared_url: str
) -> None:
    for i in range(4):
        spool.put(spooled(study, assign(study, f"w{i}"), value=2.0 + i))
    others = [open_study(open_storage(prepared_url), "fake") for _ in range(4)]
    problems: list[BaseException] = []
    start = threading.Barrier(4)

    def work(mine: OpenStudy) -> None:
        try:
            start.wait()
            deliver.deliver_spooled(mine, spool)
            deliver.tell_closings(mine)
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver.tell_closings(study)
    for other in others:
        other.storage.close()
    assert problems == []
    trials = optuna_trials(prepared_url)
    assert sorted(trial.value for trial in trials) == [2.0, 3.0, 4.0, 5.0]
    assert {trial.state for trial in trials} == {TrialState.COMPLETE} and study.slots.budget().finished
    assert list(spool.folder.iterdir()) == []


def test_a_trial_that_somebody_else_finished_is_left_alone(study: OpenStudy, spool: Spool, prepared_url: str) -> None:
    """A dashboard can finish a trial by hand; that must not stop every worker for ever."""
    assignment = assign(study)
    spool.put(spooled(study, assignment))
    deliver.deliver_spooled(study, spool)
    study.load().tell(assignment.trial_number, state=TrialState.FAIL)
    assert deliver.tell_closings(study) == 1
    assert optuna_trials(prepared_url)[0].state == TrialState.FAIL and study.slots.closings() == []


def test_a_trial_that_is_finished_while_it_is_told(
    study: OpenStudy, spool: Spool, prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker, or a person, comes between our look and our telling."""
    assignment = assign(study)
    spool.put(spooled(study, assignment))
    deliver.deliver_spooled(study, spool)
    real = Slots.closings

    def closings(self: Slots) -> list[Closing]:
        found = real(self)
        study.load().tell(assignment.trial_number, 9.0)
        return found

    monkeypatch.setattr(Slots, "closings", closings)
    assert deliver.tell_closings(study) == 1
    monkeypatch.undo()
    (trial,) = optuna_trials(prepared_url)
    assert trial.value == 9.0 and "is_mean" not in trial.user_attrs and study.slots.closings() == []


class TestSpool:
    def test_a_cut_short_file_is_set_aside_and_the_rest_is_delivered(self, study: OpenStudy, spool: Spool) -> None:
        assignment = assign(study)
        path = spool.put(spooled(study, assignment))
        cut = spool.folder / f"{study.uid}-9-1.json"
        cut.write_bytes(path.read_bytes()[:100])
        assert deliver.deliver_spooled(study, spool) == [assignment.trial_number]
        assert [p.name for p in spool.folder.iterdir()] == [f"{study.uid}-9-1.unreadable"]

    def test_results_of_another_study_wait_for_it(self, study: OpenStudy, spool: Spool) -> None:
        result = spooled(study, assign(study)).model_copy(update={"uid": "0" * 32})
        path = spool.put(result)
        assert deliver.deliver_spooled(study, spool) == [] and path.exists()

    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_a_result_that_json_cannot_hold_is_refused_at_once(
        self, study: OpenStudy, spool: Spool, bad: float
    ) -> None:
        with pytest.raises(ValueError):
            spool.put(spooled(study, assign(study), value=bad))
        assert not spool.folder.exists() or list(spool.folder.iterdir()) == []
