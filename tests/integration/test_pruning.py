"""Pruning: Optuna's own decisions, aware of gates, kept with the trial, each result once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import optuna
import pytest
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.trial import TrialState

from colgan_search.api.figure_sources import boxes_of
from colgan_search.config import PruningSettings, StudyConfig
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Cut, EpochScores, GeneratorScore, Outcome, Progress, Scores
from colgan_search.search.care.copying import copy_study
from colgan_search.search.care.housekeeping import of_trials
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.pruning import PRUNERS, Judge, finishes_anyway
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import propose
from colgan_search.search.proposing.history import History
from colgan_search.search.proposing.propose import Assignment
from colgan_search.search.study import results
from colgan_search.search.study.cuts import cuts
from colgan_search.search.study.opening import OpenStudy
from tests.fake_worker import PROTOCOL
from tests.fleet import fake_config, make_study, optuna_trials
from tests.integration.cli_helpers import answer
from tests.integration.test_deliver import assign

EPOCHS = 8
FLAT = KnowledgeTransferGraph.from_text("G1=D:t/G2=G1:t")
RAMPED = KnowledgeTransferGraph.from_text("G1=D:t/G2=G1:p")


def config(method: str = "asha", objective: str = "is", **pruning: Any) -> StudyConfig:
    """Eight epochs, each scored; nothing is finished all the same, and cuts begin with the first trial."""
    return fake_config(
        training={"epochs": EPOCHS},
        evaluation={"every_epochs": 1},
        search={"gates": ["through", "cutoff"], "objective": objective},
        pruning={"method": method, "finish_anyway": 0.0, "startup_trials": 0} | pruning,
    )


def scores(value: float, study: OpenStudy | None = None) -> Scores:
    found = Scores(
        generators=tuple(GeneratorScore(metrics={"is_mean": v, "is_std": 0.0, "fid": v}) for v in (value, value)),
        protocol=PROTOCOL,
    )
    return found if study is None else found.model_copy(update={"objective": study.config.objective})


def report(study: OpenStudy, number: int, step: int, value: float, graph: KnowledgeTransferGraph = FLAT) -> Cut | None:
    """One interim score of a running trial, as the keeper reports it."""
    judge = Judge(study)
    judge.look(number)
    epochs = study.config.training.epochs
    moment = Progress(epoch=step, epochs=epochs, iteration=step, iterations=epochs, evaluation=step)
    with study.storage.transaction() as db:
        where = trial_rows.study_id(db, study.name, study.uid)
        new = trial_writes.report(db, where, number, step, value, study.config.objective)
        return judge.judged(db, where, number, graph, moment, new)


def finish(study: OpenStudy, assignment: Assignment, values: list[float], cut: Cut | None = None) -> Outcome:
    """Accepts and tells a result with these scores, the last one final unless it is cut."""
    history = tuple(EpochScores(epoch=i, scores=scores(v, study)) for i, v in enumerate(values, start=1))
    outcome = Outcome(
        graph=assignment.graph.to_text(),
        seed=assignment.seed,
        value=values[-1] if cut is None else study.config.objective.best(values),
        scores=scores(values[-1], study) if cut is None else None,
        history=history,
        cut=cut,
        iterations=1,
        seconds=2.0,
        device="cpu",
    )
    result = deliver.Spooled(
        uid=study.uid,
        study=study.name,
        slot=assignment.claim.slot,
        token=assignment.claim.token,
        trial_number=assignment.trial_number,
        worker="w",
        outcome=outcome,
    )
    for _ in range(2):  # an answer that was lost is asked for again
        assert deliver.offer(study, result)
    deliver.tell_closings(study)
    return outcome


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 40, config())
    yield made
    made.storage.close()


@pytest.mark.parametrize("objective", ["is", "fid"])
@pytest.mark.parametrize(
    ("method", "pruner"),
    [
        # A quarter of eight evaluations is the second one; the last before the end is the seventh.
        ("asha", SuccessiveHalvingPruner(min_resource=2, reduction_factor=2)),
        ("hyperband", HyperbandPruner(min_resource=2, max_resource=7, reduction_factor=2)),
        ("median", MedianPruner(n_startup_trials=0, n_warmup_steps=2)),
    ],
)
def test_the_decisions_are_those_that_optuna_makes_in_its_own_study(
    prepared_url: str, method: str, pruner: BasePruner, objective: str
) -> None:
    made = make_study(prepared_url, 40, config(method, objective))
    best = max if objective == "is" else min
    direction = "maximize" if objective == "is" else "minimize"
    theirs = optuna.create_study(study_name=made.name, direction=direction, pruner=pruner)
    dice = np.random.default_rng(5)
    for _ in range(12):
        assignment, trial = assign(made), theirs.ask()
        assert assignment.trial_number == trial.number
        values = np.round(1.0 + np.abs(dice.normal(size=EPOCHS)).cumsum(), 3).tolist()
        for step in range(1, EPOCHS):
            trial.report(best(values[:step]), step)
            wanted = trial.should_prune()
            cut = report(made, trial.number, step, values[step - 1])
            assert (cut is not None) == (wanted and step >= 2)
            if cut is not None:
                assert cut == Cut(evaluation=step, epoch=step)
                theirs.tell(trial, state=TrialState.PRUNED)
                finish(made, assignment, values[:step], cut)
                break
        else:
            trial.report(best(values), EPOCHS)
            theirs.tell(trial, values[-1])
            finish(made, assignment, values)
    made.storage.close()
    ours = optuna_trials(prepared_url)
    assert [trial.state for trial in ours] == [trial.state for trial in theirs.trials]
    assert {TrialState.PRUNED, TrialState.COMPLETE} == {trial.state for trial in ours}
    for mine, other in zip(ours, theirs.trials, strict=True):
        assert mine.intermediate_values == other.intermediate_values
        # Optuna's own `tell` gives a pruned trial its last intermediate value.
        assert mine.value == other.value
        rungs = {key: value for key, value in mine.system_attrs.items() if key.startswith("completed_rung")}
        assert rungs == {key: value for key, value in other.system_attrs.items() if key.startswith("completed_rung")}


def complete(study: OpenStudy, values: list[float]) -> None:
    """Complete trials with these values at every step."""
    for value in values:
        finish(study, assign(study), [value] * EPOCHS)


def test_a_graph_is_not_cut_before_its_ramps_have_acted(prepared_url: str) -> None:
    study = make_study(prepared_url, 40, config("median"))
    complete(study, [5.0, 5.0])
    flat, ramped = assign(study, "one"), assign(study, "another")
    decisions = {
        graph.to_text(): [report(study, number, step, 1.0, graph) is not None for step in range(1, EPOCHS)]
        for graph, number in ((FLAT, flat.trial_number), (RAMPED, ramped.trial_number))
    }
    # A quarter of eight epochs is two, half is four; what was decided once holds.
    assert decisions[FLAT.to_text()] == [False, True, True, True, True, True, True]
    assert decisions[RAMPED.to_text()] == [False, False, False, True, True, True, True]
    kept = {trial.number: trial.user_attrs.get("cut") for trial in optuna_trials(prepared_url)}
    assert kept[flat.trial_number] == {"evaluation": 2, "epoch": 2}
    assert kept[ramped.trial_number] == {"evaluation": 4, "epoch": 4}
    study.storage.close()


def test_nothing_is_cut_before_enough_trials_are_complete(prepared_url: str) -> None:
    study = make_study(prepared_url, 40, config("asha", startup_trials=2))
    for value in (9.0, 8.0):
        trial = assign(study)
        assert [report(study, trial.trial_number, step, value) for step in range(1, EPOCHS)] == [None] * 7
        finish(study, trial, [value] * EPOCHS)
    trial = assign(study)
    assert report(study, trial.trial_number, 1, 1.0) is None
    # Their rungs are known all the same.
    assert report(study, trial.trial_number, 2, 1.0) == Cut(evaluation=2, epoch=2)
    study.storage.close()


def test_a_share_drawn_by_the_seed_is_finished_all_the_same() -> None:
    settings = config(finish_anyway=0.25).pruning
    drawn = [finishes_anyway(seed, settings) for seed in range(4000)]
    assert drawn == [finishes_anyway(seed, settings) for seed in range(4000)]
    assert 0.22 < np.mean(drawn) < 0.28  # 4 standard deviations
    assert not any(finishes_anyway(seed, config().pruning) for seed in range(1000))
    assert all(finishes_anyway(seed, config(finish_anyway=1.0).pruning) for seed in range(1000))


def test_a_decision_whose_answer_was_lost_is_found_again(study: OpenStudy) -> None:
    complete(study, [5.0])
    for value in (5.0, 1.0):
        trial = assign(study, f"worker of {value}")
        report(study, trial.trial_number, 1, value)
        cut = report(study, trial.trial_number, 2, value)
    assert cut == Cut(evaluation=2, epoch=2)
    assert report(study, trial.trial_number, 2, 9.0) == cut
    # Who takes the trial over is told with its graph and seed.
    assert study.slots.release(trial.claim)
    again = study.slots.claim("another", 60.0)
    assert again is not None and again.slot == trial.claim.slot
    taken = propose.assign(study, again)
    assert (taken.trial_number, taken.seed, taken.cut) == (trial.trial_number, trial.seed, cut)


@pytest.fixture
def mixed(study: OpenStudy) -> OpenStudy:
    """Four complete trials, the last of which would have been cut, and two pruned ones that scored higher before."""
    for number, value in enumerate([2.0, 3.0, 4.0, 3.5]):
        trial = assign(study)
        if number == 3:
            with study.storage.transaction() as db:
                where = trial_rows.study_id(db, study.name, study.uid)
                (row,) = trial_rows.read(db, trial_rows.numbered(where, trial.trial_number), "here")
                trial_writes.add(db, row._trial_id, {}, {"cut": {"evaluation": 2, "epoch": 2}})
        finish(study, trial, [value] * EPOCHS)
    for _ in range(2):
        finish(study, assign(study), [9.0, 1.0], Cut(evaluation=2, epoch=2))
    return study


def test_a_pruned_trial_is_a_result_that_counts_once(mixed: OpenStudy, prepared_url: str) -> None:
    trials = optuna_trials(prepared_url)
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 4 + ["PRUNED"] * 2
    assert [trial.value for trial in trials] == [2.0, 3.0, 4.0, 3.5, 9.0, 9.0]
    assert trials[5].intermediate_values == {1: 9.0, 2: 9.0}
    assert (mixed.slots.budget().done, mixed.slots.budget().failed, mixed.slots.budget().free) == (6, 0, 0)
    assert mixed.slots.closings() == [] and deliver.tell_closings(mixed) == 0


def test_what_ranks_by_score_leaves_pruned_trials_out(mixed: OpenStudy) -> None:
    assert [trial.number for trial in results.completed(mixed)] == [2, 3, 1, 0]
    assert results.best(mixed).value == 4.0
    pruned = results.trials(mixed)[5]
    assert (pruned.state, pruned.value, pruned.interim, pruned.scores) == ("pruned", None, 9.0, None)
    assert pruned.state_words == "pruned at epoch 2"
    monitor = Monitor(mixed)
    seen = monitor.snapshot()
    assert seen.best is not None and seen.best.number == 2
    assert (seen.cuts.pruned, seen.cuts.finished) == (2, 1)


def test_monitor_reads_a_study_with_pruned_trials_once(mixed: OpenStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = Monitor(mixed)
    first = monitor.snapshot()
    monkeypatch.setattr(results, "trials", lambda *_: pytest.fail("read again though nothing has ended"))
    again = monitor.snapshot()
    assert (again.cuts, again.best) == (first.cuts, first.best)


def test_wrong_cuts_by_hand(mixed: OpenStudy) -> None:
    found = cuts(results.trials(mixed), mixed.config.objective)
    # 3.5 is second of 4, 3, 3.5, 2: above the median, not in the top quarter, which is one trial.
    assert (found.pruned, found.finished, found.above_median, found.top_quarter) == (2, 1, 1, 0)


def test_samplers_learn_from_pruned_trials_as_optuna_has_them(mixed: OpenStudy) -> None:
    history = History(mixed)
    history.refresh()
    seen = history.modelled(None)
    assert [trial.state for trial in seen].count(TrialState.PRUNED) == 2
    assert seen[5].intermediate_values == {1: 9.0, 2: 9.0}
    assign(mixed)  # and the sampler's own asking goes on


def test_the_command_line_tells_pruned_from_complete(
    mixed: OpenStudy, prepared_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    monkeypatch.chdir(tmp_path)
    line = (
        "pruning by asha: 2 pruned; 1 that would have been was finished all the same: 1 came out above the median of "
        "the complete trials, 0 in their top quarter"
    )
    assert line in answer(capsys, "status")
    best = answer(capsys, "best")
    assert "trial 2 of 4 complete" in best and line in best
    assert json.loads(answer(capsys, "status", "--json"))["pruning"] == {
        "method": "asha",
        "pruned": 2,
        "finished": 1,
        "above_median": 1,
        "top_quarter": 0,
    }
    assert list(boxes_of([mixed])) == ["image transfer\n2 pruned, not shown"]
    table = answer(capsys, "trials").splitlines()
    assert sum("pruned at epoch 2" in row for row in table) == 2
    rows = json.loads(answer(capsys, "trials", "--json"))
    assert rows[4]["cut"] == {"evaluation": 2, "epoch": 2} and rows[4]["value"] is None and rows[4]["interim"] == 9.0


def test_a_copy_has_the_pruned_trials_too(mixed: OpenStudy, prepared_url: str) -> None:
    copy = copy_study(mixed, mixed.storage, "copy")
    assert results.trials(copy) == results.trials(mixed)
    assert [t.intermediate_values for t in optuna_trials(prepared_url, "copy")] == [
        t.intermediate_values for t in optuna_trials(prepared_url)
    ]


def test_what_a_pruned_trial_leaves_on_disk_goes(mixed: OpenStudy, tmp_path: Path) -> None:
    from colgan_search.file_names import WorkFolder

    work = WorkFolder(tmp_path)
    folder = work.run(mixed.name, 5)
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_text("x")
    (left,) = of_trials(mixed, work)
    assert (left.path.name, left.why) == ("checkpoint.pt", "trial 5 was pruned")


def test_every_method_that_a_config_may_name_has_its_pruner() -> None:
    methods = get_args(PruningSettings.model_fields["method"].annotation)
    assert {"none", *PRUNERS} == set(methods)
