"""`confirm` where something is unusual: one candidate, an interruption, an enqueued graph, results taken over alone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from colgan_search.api.confirming import ConfirmRequest, confirming
from colgan_search.cli.app import run
from colgan_search.config import StudyConfig
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from tests.integration.cli_helpers import answer, fill, optuna_study, trials_of, write_config
from tests.integration.test_confirm import made, prepare, searched

__all__ = ["searched"]  # the fixture


def run_all(url: str, name: str) -> None:
    """Made-up results for every slot of a study."""
    storage = open_storage(url)
    study = open_study(storage, name)
    while not (budget := study.slots.budget()).finished:
        fill(study, budget.total - budget.done)
    storage.close()


def test_one_candidate_is_named_the_best_of_nobody_and_one_dcgan_is_waited_for(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = searched
    prepare(capsys, url, tmp_path, "--top", 1, "--seeds", 2)
    run_all(url, "small-confirm")
    best = ("best", "--study", "small-confirm", "--storage", url, "--work-dir", tmp_path)
    said = answer(capsys, *best)
    assert "winner: G1=" in said and "candidates with probability" not in said
    assert not json.loads(answer(capsys, *best, "--json"))["confirmation"]["finished"]  # one DCGAN has not run yet
    run_all(url, "small-confirm-dcgan")
    assert json.loads(answer(capsys, *best, "--json"))["confirmation"]["finished"]
    line = answer(capsys, "status", "--study", "small-confirm", "--storage", url, "--work-dir", tmp_path)
    assert "luckiest run: IS " in line and "best: IS" not in line  # of a baseline, perhaps


def test_a_search_interrupted_before_its_second_study_is_not_said_to_be_done(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C in the race: the study of one DCGAN is not even made."""
    url, _ = searched
    with confirming(ConfirmRequest(top=1, seeds=2, storage=url, work_dir=tmp_path, workers=0)) as confirmation:
        launched = confirmation.launched()
        next(launched)
        launched.close()
    run_all(url, "small-confirm")
    best = ("best", "--study", "small-confirm", "--storage", url, "--work-dir", tmp_path, "--json")
    assert not json.loads(answer(capsys, *best))["confirmation"]["finished"]


def test_a_graph_that_somebody_enqueues_in_a_race_takes_no_run_of_it(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = searched
    alone = ("--top", 1, "--seeds", 2, "--no-baselines")
    prepare(capsys, url, tmp_path, *alone)
    study = optuna_study(url, "small-confirm")
    study.enqueue_trial({"D->G1": "through", "G2->G1": "cutoff", "D->G2": "cutoff", "G1->G2": "through"})
    for _ in range(2):  # the second time it is seen that one run is missing
        run_all(url, "small-confirm")
        said = prepare(capsys, url, tmp_path, *alone)
    assert "2 of 2 runs done" in said
    assert Counter(trial.user_attrs.get("role") for trial in trials_of(url, "small-confirm")) == {None: 1, "final": 2}


def test_graphs_that_were_taken_over_alone_can_be_confirmed(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = searched
    work = ("--storage", url, "--work-dir", str(tmp_path), "--workers", "0")
    config = write_config(tmp_path, name="second", seed=5, search__trials=3, search__sampler="random")
    assert run(["launch", "--config", str(config), "--reuse", "small", *work]) == 0
    assert "second-confirm: at most" in prepare(capsys, url, tmp_path, "--study", "second", "--seeds", 2)
    settings: Any = made(url, "second-confirm").search.sampler_settings
    assert settings.trials == 12


def test_a_search_that_was_confirmed_is_still_found_without_its_name(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As docs/tour.md goes on after `confirm`. With a second search the name is asked for."""
    url, _ = searched
    where = ("--storage", url, "--work-dir", tmp_path)
    prepare(capsys, url, tmp_path, "--top", 1, "--seeds", 2)
    run_all(url, "small-confirm")
    names = {row["study"] for row in json.loads(answer(capsys, "studies", *where, "--json"))}
    assert {"small", "small-confirm"} <= names
    assert json.loads(answer(capsys, "status", *where, "--json"))["study"] == "small"
    assert "study small:" in answer(capsys, "best", *where)
    config = write_config(tmp_path, name="second", search__trials=1)
    assert run(["launch", "--config", str(config), "--workers", "0", *map(str, where)]) == 0
    capsys.readouterr()
    assert run(["status", *map(str, where)]) == 2
    assert "name one of its studies with --study" in capsys.readouterr().err


def test_a_launch_without_workers_says_how_to_confirm_when_it_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, search__trials=3)
    url, work = f"sqlite:///{tmp_path / 'a.db'}", str(tmp_path / "my work")
    assert (
        run(["launch", "--config", str(config), "--workers", "0", "--confirm", "--storage", url, "--work-dir", work])
        == 0
    )
    said = capsys.readouterr().err
    assert "nothing is confirmed before it is done" in said
    assert f"colgan-search confirm --study small --storage {url} --work-dir '{work}'" in said
