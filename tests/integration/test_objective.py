"""A search for another objective than the paper's, held against Optuna's own API; members are looked for first."""

import json
import threading
from pathlib import Path

import optuna
import pytest
import torch
from optuna.study import StudyDirection

from colgan_search.api.study_scoring import study_experiment
from colgan_search.cli.app import run
from colgan_search.config import parse_config
from colgan_search.errors import PluginError, StudyError
from colgan_search.file_names import WorkFolder
from colgan_search.search.care.copying import copy_study
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import create_or_open, open_study
from colgan_search.search.worker import Worker
from tests.fleet import fake_config
from tests.integration.cli_helpers import small_config

torch.set_num_threads(1)

TRIALS = 4


@pytest.fixture
def searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in SQLite of four real trainings, for KID."""
    monkeypatch.chdir(tmp_path)
    config = small_config(
        tmp_path,
        evaluation__metrics=[{"name": "kid", "subsets": 3, "subset_size": 50}, "recall"],
        evaluation__every_epochs=1,
        training__epochs=2,
        search__objective="kid",
        search__sampler="tpe",
        search__startup_trials=2,
    )
    storage = open_storage("sqlite:///study.db", create=True)
    study = create_or_open(storage, config, config.name, TRIALS)
    experiment = study_experiment(study, WorkFolder(tmp_path / "work"), torch.device("cpu"))
    worked = Worker(study, experiment, WorkFolder(tmp_path / "work"), "cpu", threading.Event()).run()
    assert worked.finished and worked.accepted == TRIALS
    storage.close()
    return tmp_path


def test_a_search_for_kid_is_minimised(searched: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = open_storage("sqlite:///study.db")
    (name,) = optuna.get_all_study_names(storage.optuna)
    theirs = optuna.load_study(study_name=name, storage=storage.optuna)
    assert theirs.direction == StudyDirection.MINIMIZE and theirs.metric_names == ["min KID"]
    study = open_study(storage, name)
    best, done = results.best(study), results.completed(study)
    assert best.number == theirs.best_trial.number and best.value == theirs.best_value
    assert [record.value for record in done] == sorted(
        trial.value for trial in theirs.trials if trial.value is not None
    )
    assert done[0].value != done[-1].value
    for trial in theirs.trials:
        assert trial.value == min(trial.user_attrs["kid_mean"]) and len(trial.user_attrs["recall"]) == 2
        reports = [value for _, value in sorted(trial.intermediate_values.items())]
        assert reports == sorted(reports, reverse=True) and len(reports) == 2, "the lowest so far"
    kept = sorted(path.parent.name for path in searched.glob("work/*/trial-*/generators.safetensors"))
    assert f"trial-{best.number:05d}" in kept
    copy = copy_study(study, storage, "copy")
    assert copy.load().direction == StudyDirection.MINIMIZE and results.best(copy).value == best.value
    storage.close()

    options = ["--study", name, "--storage", "sqlite:///study.db", "--work-dir", "work"]
    assert run(["trials", *options]) == 0
    table = capsys.readouterr().out
    assert "min KID" in table and "KID of G1, G2" in table
    assert run(["trials", *options, "--format", "csv"]) == 0
    columns = capsys.readouterr().out.splitlines()[0]
    assert "kid_mean_G1,kid_mean_G2,kid_std_G1,kid_std_G2,recall_G1,recall_G2" in columns
    assert run(["best", *options, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["value"], shown["kid_mean"]) == (best.value, list(best.of("kid_mean") or ()))
    assert run(["status", *options]) == 0
    assert f"luckiest run: KID {best.value:.3f}, trial {best.number}" in capsys.readouterr().out


def test_scores_of_another_objective_in_the_database_are_refused(searched: Path) -> None:
    storage = open_storage("sqlite:///study.db")
    study = open_study(storage, optuna.get_all_study_names(storage.optuna)[0])
    trial = study.trials()[0]
    scores = trial.user_attrs["scores"]
    scores["objective"] = {"metric": "is", "number": "is_mean", "label": "IS", "higher_is_better": True, "worst": 1.0}
    with storage.transaction() as db:
        db.exec_driver_sql(
            "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = 'scores'",
            (json.dumps(scores), trial._trial_id),
        )
    with pytest.raises(StudyError, match="trial 0: scores: their objective is not the study's, min KID"):
        results.trials(study)
    storage.close()


def test_members_that_are_not_here_are_named_before_the_config_is_read(storage: Storage) -> None:
    study = create_or_open(storage, fake_config(), "fake", 3)
    assert study.load().user_attrs["members"] == {}
    study.load().set_user_attr("members", {"gate cosine": "colgan-x 1.0"})
    config = fake_config().model_dump(mode="json")
    config["search"]["gates"] = ["cosine", "through"]
    study.load().set_user_attr("config", config)
    said = (
        r"^study 'fake' uses the gate 'cosine' of package colgan-x 1\.0, which is not installed here: "
        r"pip install colgan-x==1\.0$"
    )
    for attempt in (
        lambda: open_study(storage, "fake"),
        lambda: create_or_open(storage, parse_config(fake_config().model_dump(mode="json"), "x"), "fake", 3),
    ):
        with pytest.raises(PluginError, match=said):
            attempt()
    study.load().set_user_attr("members", {"gate cosine": 3})
    with pytest.raises(StudyError, match="members"):
        open_study(storage, "fake")
