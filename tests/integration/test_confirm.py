"""`confirm` at the command line: real trainings of a second, its studies, its answer, what it refuses."""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from colgan_search.cli.app import run
from colgan_search.config import StudyConfig
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import open_study
from tests.integration.cli_helpers import (
    answer,
    fake_study,
    run_cli,
    small_config,
    trials_of,
    write_config,
)


@pytest.fixture
def searched(tmp_path: Path, quiet_process: None) -> tuple[str, StudyConfig]:
    """A database with a search of 12 made-up results."""
    url = f"sqlite:///{tmp_path / 'a.db'}"
    config = small_config(tmp_path, search__trials=12, search__sampler="random")
    fake_study(url, config, 12, 12).storage.close()
    return url, config


def made(url: str, name: str) -> StudyConfig:
    storage = open_storage(url)
    try:
        return open_study(storage, name).config
    finally:
        storage.close()


def prepare(capsys: pytest.CaptureFixture[str], url: str, work: Path, *more: object) -> str:
    """`confirm` without workers: it makes the studies and says what it would do."""
    capsys.readouterr()
    code = run(["confirm", "--storage", url, "--work-dir", str(work), "--workers", "0", *map(str, more)])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.err + captured.out


def test_the_race_has_the_searchs_protocol_and_seeds_of_its_own(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, config = searched
    said = prepare(capsys, url, tmp_path, "--top", 3, "--seeds", 4)
    assert "study small-confirm: at most 20 trials" in said  # 3 x 4, and 4 of each of the two baselines
    assert "study small-confirm-dcgan: at most 4 trials" in said
    race, alone = made(url, "small-confirm"), made(url, "small-confirm-dcgan")
    assert race.seed not in (config.seed, alone.seed)
    for part in ("k", "data", "network", "transfer", "training"):
        assert getattr(race, part) == getattr(config, part)
        assert part == "k" or getattr(alone, part) == getattr(config, part)
    assert race.evaluation.model_dump() == config.evaluation.model_dump() | {"fresh_images": True}
    assert alone.k == 1 and alone.search.first == ("dcgan",) and alone.evaluation == race.evaluation
    settings: Any = race.search.sampler_settings
    ranked = json.loads(
        answer(capsys, "trials", "--study", "small", "--graphs", "--json", "--storage", url, "--work-dir", tmp_path)
    )
    assert [round(one.estimate, 6) for one in settings.candidates] == [round(one["estimate"], 6) for one in ranked[:3]]
    assert [one.name for one in settings.baselines] == ["mad-gan", "all-through"]


def test_the_same_command_goes_on_and_another_one_is_another_confirmation(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = searched
    prepare(capsys, url, tmp_path, "--top", 3, "--seeds", 4)
    assert "small-confirm: at most 25" in prepare(capsys, url, tmp_path, "--top", 3, "--seeds", 5)
    assert "small-confirm: at most 25" in prepare(capsys, url, tmp_path)
    assert "small-confirm: at most 25" in prepare(capsys, url, tmp_path, "--study", "small-confirm", "--until", "0.9")
    assert "small-confirm-2: at most 8" in prepare(
        capsys, url, tmp_path, "--top", 2, "--seeds", 4, "--epochs", 2, "--no-baselines"
    )
    assert made(url, "small-confirm-2").training.epochs == 2
    assert made(url, "small-confirm").search.sampler_settings.until == 0.9  # type: ignore[attr-defined]


def test_a_search_that_is_not_done_is_confirmed_with_a_word_of_warning(
    tmp_path: Path, quiet_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    fake_study(url, small_config(tmp_path, search__sampler="random"), 12, 5).storage.close()
    assert "5 of 12 trials; these are its leading graphs so far" in prepare(capsys, url, tmp_path, "--top", 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--top", "13"], r"--top 13 is not allowed: study 'small' has results of \d+ distinct graphs"),
        (["--top", "0"], "--top 0 is not allowed: a whole number of at least 1"),
        (["--seeds", "1"], "--seeds 1 is not allowed: a whole number of at least 2"),
        (["--epochs", "0"], "--epochs 0 is not allowed"),
        (["--until", "0.5"], r"--until 0\.5 is not allowed: a probability between 0\.5 and 1"),
        (["--until", "1"], r"--until 1\.0 is not allowed"),
        (["--until", "nan"], "--until nan is not allowed"),
        (["--study", "other"], "there is no study 'other'"),
    ],
)
def test_what_cannot_be_confirmed_is_refused_and_nothing_is_made(
    searched: tuple[str, StudyConfig],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    url, _ = searched
    assert run(["confirm", "--storage", url, "--work-dir", str(tmp_path), *arguments]) == 2
    errors = capsys.readouterr().err
    assert re.search(said, errors), errors
    storage = open_storage(url)
    assert "small-confirm" not in {path.name for path in tmp_path.iterdir()}
    storage.close()
    assert run(["confirm", "--storage", url, "--study", "small-confirm", "--work-dir", str(tmp_path)]) == 2


def test_a_study_without_results_or_without_a_search_is_refused(
    tmp_path: Path, quiet_process: None, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    config = small_config(tmp_path, search__sampler="repeat", search__first=["mad-gan"])
    fake_study(url, config, 2, 2).storage.close()
    assert run(["confirm", "--storage", url, "--work-dir", str(tmp_path)]) == 2
    assert "study 'small' is no search: it trains mad-gan" in capsys.readouterr().err
    other = f"sqlite:///{tmp_path / 'b.db'}"
    fake_study(other, small_config(tmp_path, search__sampler="random"), 2, 0).storage.close()
    assert run(["confirm", "--storage", other, "--work-dir", str(tmp_path)]) == 2
    assert "has no complete trial yet" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search_is_launched_and_confirmed_with_real_trainings(tmp_path: Path) -> None:
    config = write_config(tmp_path, search__trials=4, search__sampler="random")
    launch = ("launch", "--config", config, "--work-dir", tmp_path, "--workers", 2)
    offered = run_cli(*launch, cwd=tmp_path)
    assert offered.returncode == 0, offered.stderr
    assert "colgan-search confirm --study small" in offered.stderr
    both = run_cli(*launch, "--confirm", cwd=tmp_path)
    assert both.returncode == 0, both.stderr
    assert "winner: G1=" in both.stdout and "against dcgan" in both.stdout
    again = run_cli("confirm", "--study", "small", "--work-dir", tmp_path, "--json", cwd=tmp_path)
    found = json.loads(again.stdout)
    assert found["finished"] and found["done"] == found["wanted"]

    storage = open_storage(f"sqlite:///{tmp_path / 'studies.db'}")
    race, alone, search = (open_study(storage, f"small{end}") for end in ("-confirm", "-confirm-dcgan", ""))
    trials = results.completed(race)
    own = [trial.value for trial in trials if trial.role == "final"]
    assert Counter(trial.role for trial in trials)["final"] == 10 == len(results.completed(alone))
    assert found["mean"]["value"] == pytest.approx(sum(v or 0.0 for v in own) / 10)
    digests = {str(trial.protocol and trial.protocol["weights_digest"]) for trial in trials + results.completed(search)}
    assert len(digests) == 1  # the very same classifier
    for trial in trials:
        outcome = results.outcome(race, trial.number)
        assert outcome is not None
        if outcome.diverged is None:
            assert outcome.fresh is not None and trial.value == outcome.fresh.is_mean
            assert outcome.scores is not None and outcome.fresh not in outcome.scores.generators
    storage.close()
    assert len(trials_of(f"sqlite:///{tmp_path / 'studies.db'}", "small-confirm")) == found["done"]
    shown = run_cli("status", "--study", "small-confirm", "--work-dir", tmp_path, cwd=tmp_path)
    assert "winner G1=" in shown.stdout
    best = json.loads(
        run_cli("best", "--study", "small-confirm", "--json", "--work-dir", tmp_path, cwd=tmp_path).stdout
    )
    assert best["graph"] == found["winner"] and best["confirmation"]["mean"] == found["mean"]


def test_graphs_are_listed_with_their_runs_and_best_says_what_luck_is(
    searched: tuple[str, StudyConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, _ = searched
    place = ("--study", "small", "--storage", url, "--work-dir", str(tmp_path))
    rows = list(csv.DictReader(io.StringIO(answer(capsys, "trials", "--graphs", "--format", "csv", *place))))
    trials = json.loads(answer(capsys, "trials", "--json", *place))
    assert sum(int(row["runs"]) for row in rows) == len(trials) == 12
    estimates = [float(row["estimate"]) for row in rows]
    assert estimates == sorted(estimates, reverse=True)
    by_number = {trial["number"]: trial["value"] for trial in trials}
    for row in rows:
        values = [by_number[number] for number in json.loads(row["trials"])]
        assert float(row["mean"]) == pytest.approx(sum(values) / len(values))
    best = json.loads(answer(capsys, "best", "--json", *place))
    assert best["estimate"]["graph"] == rows[0]["graph"] and best["number"] in best["estimate"]["trials"]
    luckiest = max(trials, key=lambda trial: trial["value"])
    assert best["luckiest_run"]["trial"] == luckiest["number"]
    shown = answer(capsys, "best", *place)
    assert f"the luckiest single run, the paper's way: trial {luckiest['number']}" in shown
    assert "estimated IS" in answer(capsys, "trials", "--graphs", *place)
