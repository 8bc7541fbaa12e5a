"""Records and snapshots of a study, held against Optuna's own API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from benchmarks.filling import fill
from colgan_search.errors import StudyError
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.deliver import Spool, Spooled
from colgan_search.search.proposing import propose
from colgan_search.search.study import results, trial_table
from colgan_search.search.study.opening import OpenStudy
from tests.fake_worker import FakeExperiment, fake_value
from tests.fleet import fake_config, make_study, optuna_trials


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 5, fake_config())
    yield made
    made.storage.close()


def finish(study: OpenStudy, work: Path, worker: str = "w") -> int:
    """One whole trial by hand; its number."""
    claim = study.slots.claim(worker, 60.0)
    assert claim is not None
    assignment = propose.assign(study, claim)
    outcome = FakeExperiment(0.0)(assignment.graph, assignment.seed, work, lambda _: None, lambda: False)
    number = assignment.trial_number
    spool = Spool(work / "spool")
    spool.put(
        Spooled(
            uid=study.uid,
            study=study.name,
            slot=claim.slot,
            token=claim.token,
            trial_number=number,
            worker=worker,
            outcome=outcome,
        )
    )
    deliver.deliver_spooled(study, spool)
    deliver.tell_closings(study)
    return number


def trial_attributes(trials: list[FrozenTrial], number: int) -> dict[str, Any]:
    return next(trial.user_attrs for trial in trials if trial.number == number)


def test_records_are_what_optuna_says(study: OpenStudy, tmp_path: Path, prepared_url: str) -> None:
    for _ in range(3):
        finish(study, tmp_path)
    claim = study.slots.claim("other", 60.0)
    assert claim is not None
    propose.assign(study, claim)
    records = results.trials(study)
    theirs = optuna_trials(prepared_url)
    assert [r.number for r in records] == [t.number for t in theirs] == [0, 1, 2, 3]
    assert [r.state for r in records] == ["complete"] * 3 + ["running"]
    for record, trial in zip(records, theirs, strict=True):
        assert record.value == trial.value
        assert (record.graph, record.seed) == (trial.user_attrs["graph"], trial.user_attrs["seed"])
    for record, trial in zip(records[:3], theirs, strict=False):
        assert record.value == fake_value(str(record.graph), int(record.seed or 0))
        assert record.of("is_mean") == (record.value, 1.0) and record.best_generator == "G1"
        assert (record.worker, record.diverged, record.of("fid")) == ("w", None, None)
        assert trial_attributes(theirs, record.number)["fid"] == [None, None]
        assert trial.datetime_complete is not None
        assert record.finished == trial.datetime_complete.isoformat(timespec="seconds") + "+00:00"
    assert records[3].scores is None and records[3].value is None and records[3].finished is None
    assert [r.started for r in records] == [t.datetime_start.isoformat(timespec="seconds") + "+00:00" for t in theirs]


def test_the_best_is_optunas_best(study: OpenStudy, tmp_path: Path, prepared_url: str) -> None:
    with pytest.raises(StudyError, match="no complete trial yet"):
        results.best(study)
    for _ in range(4):
        finish(study, tmp_path)
    theirs = study.load().best_trial
    assert results.best(study).number == theirs.number and results.best(study).value == theirs.value
    values = [record.value for record in results.completed(study)]
    assert values == sorted((trial.value for trial in optuna_trials(prepared_url)), reverse=True)
    assert results.best_graph(results.best(study)).to_text() == theirs.user_attrs["graph"]


def test_a_failed_trial_has_no_value(study: OpenStudy, tmp_path: Path) -> None:
    for worker in "abc":
        claim = study.slots.claim(worker, 60.0)
        assert claim is not None
        propose.assign(study, claim)
        study.slots.release(claim, "broken", max_faults=3)
    deliver.tell_closings(study)
    (record,) = results.trials(study)
    assert (record.state, record.value) == (TrialState.FAIL.name.lower(), None)
    assert results.completed(study) == []


def test_the_whole_outcome_can_be_had_again(study: OpenStudy, tmp_path: Path) -> None:
    number = finish(study, tmp_path)
    outcome = results.outcome(study, number)
    record = results.trials(study)[number]
    assert outcome is not None and (outcome.value, outcome.graph) == (record.value, record.graph)
    assert results.outcome(study, 99) is None


def test_rows_and_json_hold_every_field(study: OpenStudy, tmp_path: Path) -> None:
    record = results.trials(study)
    assert record == []
    number = finish(study, tmp_path)
    record_of = results.trials(study)[number]
    row = trial_table.row(record_of)
    assert [row["is_mean_G1"], row["is_mean_G2"]] == list(record_of.of("is_mean") or ())
    assert sorted(trial_table.columns(study, [record_of])) == sorted(row)
    assert not any(isinstance(value, (list, dict)) for value in row.values())
    assert json.loads(json.dumps(record_of.as_dict()))["value"] == record_of.value


def test_what_is_shown_of_a_study_is_not_read_trial_by_trial(study: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna takes 11 s to read 15,000 trials, and `status` with it."""

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("Optuna's own reading")

    fill(study, 4)
    monkeypatch.setattr(RDBStorage, "_get_trials", refused)
    monkeypatch.setattr(RDBStorage, "get_all_trials", refused)
    assert [record.number for record in results.trials(study)] == [0, 1, 2, 3]
    seen = Monitor(study).snapshot()
    assert seen.budget.done == 4 and seen.best == results.best(study)
