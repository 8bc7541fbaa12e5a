"""Pruning under kills: what was decided is kept by whoever takes the trial over, and each result is one."""

import json
import random
import signal
from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from colgan_search.config import StudyConfig
from tests.fake_worker import fake_interim, fake_value
from tests.fleet import Fleet, fake_config, make_study, optuna_trials, rows_of, wait_until
from tests.integration.test_deliver import assign
from tests.integration.test_pruning import finish, report

pytestmark = pytest.mark.slow

STEPS = 5


def config(**pruning: object) -> StudyConfig:
    return fake_config(
        training={"epochs": STEPS},
        evaluation={"every_epochs": 1},
        search={"gates": ["through", "cutoff"]},
        pruning={"method": "asha", "startup_trials": 0, "earliest": 0.2, "earliest_with_ramps": 0.2} | pruning,
    )


def assert_each_once(url: str, total: int, made_up: int = 0) -> list[FrozenTrial]:
    """Exactly so many results, each once, with what Optuna and the slot say of it in agreement.

    The first `made_up` are of the test itself.
    """
    trials = optuna_trials(url)
    states = Counter(trial.state for trial in trials)
    assert states[TrialState.COMPLETE] + states[TrialState.PRUNED] == len(trials) == total, states
    rows = rows_of(url, "SELECT state, trial_number, outcome FROM colgan_slots ORDER BY trial_number")
    assert [(state, number) for state, number, _ in rows] == [("done", trial.number) for trial in trials]
    for trial, (_, _, text) in list(zip(trials, rows, strict=True))[made_up:]:
        outcome = json.loads(text)
        value = fake_value(trial.user_attrs["graph"], trial.user_attrs["seed"])
        assert (outcome["graph"], int(outcome["seed"])) == (trial.user_attrs["graph"], trial.user_attrs["seed"])
        last = STEPS
        if trial.state == TrialState.PRUNED:
            assert outcome["cut"] == trial.user_attrs["cut"]
            last = trial.user_attrs["cut"]["evaluation"]
            assert "scores" not in trial.user_attrs and last < STEPS
        assert trial.value == outcome["value"] == fake_interim(value, last, STEPS)
        assert trial.intermediate_values == {step: fake_interim(value, step, STEPS) for step in range(1, last + 1)}
    return trials


def test_a_cut_that_its_worker_did_not_live_to_make_is_made_by_the_next(storage_url: str, tmp_path: Path) -> None:
    study = make_study(storage_url, 6, config(finish_anyway=0.0))
    # One trial that no other can come up to: every later one is cut at its first score.
    first = assign(study)
    for step in range(1, STEPS):
        assert report(study, first.trial_number, step, 100.0) is None
    finish(study, first, [100.0] * STEPS)

    def cut() -> list[FrozenTrial]:
        return [trial for trial in optuna_trials(storage_url) if "cut" in trial.user_attrs]

    with Fleet(storage_url, tmp_path, 0.1, orders=f"deaf:{STEPS}") as fleet:
        deaf = fleet.start()
        wait_until(lambda: cut() or not deaf.is_alive(), "a trial that is cut")
        fleet.kill(deaf)
        (killed,) = cut()
        assert (killed.state, killed.user_attrs["cut"]) == (TrialState.RUNNING, {"evaluation": 1, "epoch": 1})
        fleet.start(2, orders=f"steps:{STEPS}")
        codes = fleet.wait()
        log = fleet.log()
    study.storage.close()
    assert codes == [-signal.SIGKILL, 0, 0], log
    trials = assert_each_once(storage_url, 6, made_up=1)
    assert trials[killed.number].state == TrialState.PRUNED
    assert trials[killed.number].user_attrs["cut"] == killed.user_attrs["cut"]


def test_workers_killed_around_their_cuts(storage_url: str, tmp_path: Path) -> None:
    total = 24
    study = make_study(storage_url, total, config(finish_anyway=0.5))
    dice = random.Random(3)
    with Fleet(storage_url, tmp_path, 0.5, orders=f"steps:{STEPS}") as fleet:
        fleet.start(3)
        for _ in range(6):
            known = {t.number for t in optuna_trials(storage_url) if "cut" in t.user_attrs}
            wait_until(
                lambda known=known: (
                    study.slots.budget().finished
                    or {t.number for t in optuna_trials(storage_url) if "cut" in t.user_attrs} - known
                ),
                "one more cut",
            )
            if study.slots.budget().finished or not fleet.living:
                break
            fleet.kill(dice.choice(fleet.living))
            fleet.start()
        codes = fleet.wait()
        log = fleet.log()
    study.storage.close()
    assert set(codes) <= {0, -signal.SIGKILL}, (codes, log)
    assert_each_once(storage_url, total)
