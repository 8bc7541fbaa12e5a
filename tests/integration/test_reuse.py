"""`launch --reuse`: graphs that another study has measured, as replicates beside the budget."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import FrozenTrial, TrialState

from colgan_search.api.launching import LaunchRequest, prepare_launch
from colgan_search.cli.app import run
from colgan_search.config import StudyConfig
from colgan_search.errors import StudyError
from colgan_search.search.care.copying import copy_study
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.care.reusing import reuse
from colgan_search.search.database.opening import open_storage
from colgan_search.search.proposing import propose
from colgan_search.search.proposing.history import History
from colgan_search.search.ranking.naming import named_run
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.search.study.shared_files import SharedFiles
from tests.fleet import fake_config, make_study, optuna_trials
from tests.integration.cli_helpers import answer, fake_study

TWO_GATES = {"gates": ["through", "cutoff"]}


def config(name: str, seed: int = 7, **sections: Any) -> StudyConfig:
    return fake_config(name, seed=seed, **sections)


@pytest.fixture
def old(prepared_url: str) -> Iterator[OpenStudy]:
    """A study of six results under two gates."""
    made = fake_study(prepared_url, config("old", search=TWO_GATES), total=6, done=6)
    yield made
    made.storage.close()


@pytest.fixture
def new(old: OpenStudy, prepared_url: str) -> Iterator[OpenStudy]:
    """An empty one of four gates, another seed and another sampler."""
    made = make_study(prepared_url, 4, config("new", 8, search={"sampler": "tpe"}))
    yield made
    made.storage.close()


def told(trial: FrozenTrial) -> tuple[Any, ...]:
    """What a trial tells of its graph, whoever trained it."""
    attributes = {key: value for key, value in trial.user_attrs.items() if key != "reused_from"}
    times = trial.datetime_start, trial.datetime_complete
    return trial.state, trial.value, trial.params, attributes, trial.intermediate_values, times


def test_the_same_measurements_stand_in_both_studies(old: OpenStudy, new: OpenStudy, prepared_url: str) -> None:
    assert reuse(new, old).words == "reuse old: 6 measured graphs taken over"
    theirs, ours = optuna_trials(prepared_url, "old"), optuna_trials(prepared_url, "new")
    assert [told(trial) for trial in ours] == [told(trial) for trial in theirs]
    assert [trial.number for trial in ours] == list(range(6))
    assert [trial.user_attrs["reused_from"] for trial in ours] == [
        {"study": "old", "uid": old.uid, "number": number} for number in range(6)
    ]
    # In the new study's space, so that a sampler takes them.
    assert {len(space.choices) for trial in ours for space in trial.distributions.values()} == {4}  # type: ignore[attr-defined]


def test_they_take_nothing_from_the_budget_and_are_ranked_and_learnt_from(
    old: OpenStudy, new: OpenStudy, prepared_url: str
) -> None:
    reuse(new, old)
    assert (new.slots.budget().done, new.slots.budget().total) == (0, 4)
    assert results.best(new).value == results.best(old).value
    assert results.outcome(new, 2) == results.outcome(old, 2)
    history = History(new)
    history.refresh()
    assert len(history.modelled(None)) == 6
    fake_study(prepared_url, config("new", 8, search={"sampler": "tpe"}), total=4, done=4).storage.close()
    assert new.slots.budget().finished and new.slots.closings() == []
    trials = optuna_trials(prepared_url, "new")
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 10
    assert [trial.number for trial in trials if "reused_from" not in trial.user_attrs] == [6, 7, 8, 9]
    seen = Monitor(new).snapshot()
    assert (seen.budget.done, seen.reused) == (4, 6)


def test_the_monitor_reads_again_when_a_result_comes(old: OpenStudy, new: OpenStudy, prepared_url: str) -> None:
    monitor = Monitor(new)
    reuse(new, old)
    assert monitor.snapshot().budget.done == 0
    for done in range(1, 4):
        fake_study(prepared_url, config("new", 8, search={"sampler": "tpe"}), total=4, done=1).storage.close()
        best = max(trial.value or 0.0 for trial in optuna_trials(prepared_url, "new"))
        seen = monitor.snapshot()
        assert seen.budget.done == done and seen.best is not None and seen.best.value == best


def test_twice_the_same_adds_nothing_and_later_results_are_added(
    old: OpenStudy, new: OpenStudy, prepared_url: str
) -> None:
    reuse(new, old)
    assert reuse(new, old).words == "reuse old: 0 measured graphs taken over, 6 known already"
    old.slots.set_total(8)
    fake_study(prepared_url, config("old", search=TWO_GATES), total=8, done=2).storage.close()
    assert reuse(new, old).words == "reuse old: 2 measured graphs taken over, 6 known already"
    assert len(optuna_trials(prepared_url, "new")) == 8
    # Through a third study they come from the first one, and are known by that.
    third = make_study(prepared_url, 4, config("third", 9, search=TWO_GATES))
    assert reuse(third, new).taken == 8
    assert reuse(third, old).words == "reuse old: 0 measured graphs taken over, 8 known already"
    assert {trial.user_attrs["reused_from"]["study"] for trial in optuna_trials(prepared_url, "third")} == {"old"}
    third.storage.close()


def test_the_same_graph_trained_with_the_same_seed_is_no_replicate(old: OpenStudy, prepared_url: str) -> None:
    twin = fake_study(prepared_url, config("twin", search=TWO_GATES), total=6, done=6)
    found = reuse(twin, old)
    assert (found.taken, found.known) == (0, 6)
    assert found.words.endswith(
        "both studies have the same seed: what is proposed at random is proposed again (give another seed)"
    )
    twin.storage.close()


def test_graphs_outside_the_space_are_left_out(old: OpenStudy, new: OpenStudy, prepared_url: str) -> None:
    fake_study(prepared_url, config("new", 8, search={"sampler": "tpe"}), total=4, done=4).storage.close()
    linear = sum({"positive", "negative"} & set(t.params.values()) != set() for t in optuna_trials(prepared_url, "new"))
    narrow = make_study(prepared_url, 4, config("narrow", 9, search=TWO_GATES))
    found = reuse(narrow, new)
    assert (found.taken, found.outside) == (4 - linear, linear) and linear > 0
    narrow.storage.close()


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"training": {"epochs": 51}}, "training.epochs: 51 | 50"),
        ({"evaluation": {"images": 100, "splits": 1}}, "evaluation.images: 100 | 50000; evaluation.splits: 1 | 10"),
        ({"search": {"objective": "fid"}}, "search.objective: 'fid' | None"),
        ({"k": 3}, "k: 3 | 2"),
    ],
)
def test_what_was_measured_otherwise_is_refused_by_its_key(
    old: OpenStudy, prepared_url: str, sections: dict[str, Any], said: str, tmp_path: Path
) -> None:
    wanted = config("other", 8, **sections)
    with pytest.raises(StudyError, match="cannot be taken over") as refused:
        prepare_launch(
            LaunchRequest(wanted, storage=prepared_url, work_dir=tmp_path, workers=0, reuse=("old",)), lambda text: None
        )
    assert said in str(refused.value)
    # Nothing was made.
    with pytest.raises(StudyError, match="there is no study 'other'"):
        open_study(old.storage, "other")


def test_another_classifier_is_refused_and_none_is_taken_over(old: OpenStudy, new: OpenStudy, tmp_path: Path) -> None:
    def share(study: OpenStudy, text: str) -> None:
        file = tmp_path / "classifier.safetensors"
        file.write_text(text)
        assert SharedFiles(study).push([file])

    share(old, "weights")
    third = make_study(old.storage.url_with_password, 4, config("third", 9))
    share(third, "other weights")
    with pytest.raises(StudyError, match="scored by another classifier"):
        reuse(third, old)
    assert results.trials(third) == []
    reuse(new, old)
    (path,) = SharedFiles(new).pull(tmp_path / "pulled")
    assert path.read_text() == "weights"
    third.storage.close()


def test_copies_and_the_command_line(
    old: OpenStudy, new: OpenStudy, prepared_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    reuse(new, old)
    assert results.trials(copy_study(new, new.storage, "copy")) == results.trials(new)
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    monkeypatch.chdir(tmp_path)
    assert "0/4 trials done; 0 running; 6 taken over from other studies" in answer(capsys, "status", "--study", "new")
    assert "complete, of old 3" in answer(capsys, "trials", "--study", "new")
    best = named_run(old)
    assert f"taken over from study old, trial {best.number}" in answer(capsys, "best", "--study", "new")
    rows = json.loads(answer(capsys, "trials", "--study", "new", "--json"))
    assert rows[2]["reused_from"] == {"study": "old", "uid": old.uid, "number": 2}


def test_launch_takes_over_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    from colgan_search.config import load_config

    fake_study(url, load_config("digits-k2"), total=3, done=3).storage.close()
    line = ["launch", "--config", "digits-k2", "--storage", url, "--workers", "0"]
    assert run([*line, "--study", "again", "--reuse", "digits-k2"]) == 0
    assert "reuse digits-k2: 3 measured graphs taken over" in capsys.readouterr().err
    assert run([*line, "--study", "again", "--reuse", "digits-k2", "--reuse", "digits-k2"]) == 0
    assert "0 measured graphs taken over, 3 known already" in capsys.readouterr().err
    assert run([*line, "--study", "again", "--reuse", "again"]) == 2
    assert "--reuse again: that is the study itself" in capsys.readouterr().err
    assert run([*line, "--study", "again", "--reuse", "nothing"]) == 2
    storage = open_storage(url)
    assert len(open_study(storage, "again").trials()) == 3
    storage.close()


def test_what_was_taken_over_comes_on_top_of_the_total_that_the_sampler_plans_with(
    old: OpenStudy, prepared_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from colgan_search.sampling import sampler

    plans: list[Any] = []
    real = sampler.propose
    monkeypatch.setattr(sampler, "propose", lambda seen, plan, *rest: [plans.append(plan), real(seen, plan, *rest)][1])
    study = make_study(prepared_url, 8, config("modelled", seed=8, search={"sampler": "graph"}))
    taken = reuse(study, old).taken
    claim = study.slots.claim("w", 60.0)
    assert claim is not None
    propose.assign(study, claim)
    study.storage.close()
    assert taken > 0 and [plan.trials for plan in plans] == [8 + taken]
