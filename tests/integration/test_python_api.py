"""`colgan_search` from Python: studies launched, drained and read from scripts, threads and notebook cells."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

import colgan_search
from colgan_search import KnowledgeTransferGraph, errors, launch, load_config, open_study, results, train
from tests.integration.cli_helpers import (
    SMALL,
    WAIT_SECONDS,
    contents,
    dead,
    environment,
    fake_study,
    optuna_study,
    require_complete,
    small_config,
    wait_for,
    write_config,
)


def url_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'colgan_work' / 'studies.db'}"


def python(program: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A script without a guard around its main part, in a fresh process."""
    (folder / "script.py").write_text(program)
    command = [sys.executable, "script.py", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=WAIT_SECONDS)


def test_reading_a_study(prepared_url: str, tmp_path: Path) -> None:
    fake_study(prepared_url, small_config(tmp_path), total=4, done=3).storage.close()
    theirs = optuna_study(prepared_url)
    with open_study(storage=prepared_url) as study:
        assert study.name == "small" and study.config == small_config(tmp_path)
        best = study.best()
        assert best.number == theirs.best_trial.number and best.value == theirs.best_value
        assert isinstance(best.graph, KnowledgeTransferGraph)
        assert best.graph.to_text() == theirs.best_trial.user_attrs["graph"]
        assert best.scores is not None
        assert [row.is_mean for row in best.scores.generators] == theirs.best_trial.user_attrs["is_mean"]
        trials = study.trials()
        assert [trial.value for trial in trials] == [trial.value for trial in theirs.trials]
        assert [trial.seed for trial in trials] == [trial.user_attrs["seed"] for trial in theirs.trials]
        assert (study.status().budget.done, study.status().budget.total) == (3, 4)
        outcome = study.outcome(best.number)
        assert outcome is not None and outcome.value == theirs.best_value
        assert study.wait() is study, "nobody works for it here"
        study.drain()
    ranked = results("small", storage=prepared_url)
    assert [trial.value for trial in ranked] == sorted((trial.value for trial in theirs.trials), reverse=True)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: launch("no-such"), errors.ConfigError, "no-such"),
        (lambda: launch("digits", overrides={"training.epochs": 0}), errors.ConfigError, "training.epochs: 0"),
        (lambda: launch("digits", trials=0), errors.StudyError, "^`trials` 0 is not allowed"),
        (lambda: launch("digits", trials=2.5, workers=0), errors.StudyError, "2.5 is not allowed"),  # type: ignore[arg-type]
        (lambda: launch("digits", trials=True, workers=0), errors.StudyError, "True is not allowed"),
        (lambda: launch("digits", workers=-1), errors.DeviceError, "-1"),
        (lambda: launch("digits", device="cuda:99"), errors.DeviceError, "cuda"),
        (lambda: launch("digits", storage="mysql://here/none"), errors.StorageError, "mysql"),
        (lambda: launch("digits", study="../up"), errors.ConfigError, "name"),
        (lambda: open_study("none"), errors.NothingThere, "no such database"),
        (lambda: results("none", storage="sqlite:///none.db"), errors.NothingThere, "none.db"),
        (lambda: train("mad-gann"), errors.GraphError, "mad-gann"),
        (lambda: train("mad-gan", "digits", seeds=0), errors.BadInput, "0 is not allowed"),
    ],
)
def test_bad_input_is_a_named_error_and_leaves_nothing(
    call: Any, kind: type[Exception], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words):
        call()
    assert contents(tmp_path) == {}


def test_another_config_under_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    launch(small_config(tmp_path), workers=0).close()
    with pytest.raises(errors.StudyError, match=r"training.epochs"):
        launch(small_config(tmp_path), workers=0, overrides={"training.epochs": 7})
    with launch(small_config(tmp_path), trials=5, workers=0) as study:
        assert study.status().budget.total == 5 and repr(study).startswith("<Study 'small' in sqlite:")
        with pytest.raises(errors.StudyError, match="no complete trial"):
            study.best()


SCRIPT = """
from colgan_search import launch
study = launch("small.yaml", trials=2, workers=1, progress=True)
print(study.best().graph.to_text())
again = launch("small.yaml", trials=2, workers=1)
print(len(again.trials()), again.best() == study.best())
"""


@pytest.mark.slow
def test_a_script_without_a_guard(tmp_path: Path) -> None:
    write_config(tmp_path)
    ended = python(SCRIPT, tmp_path)
    assert ended.returncode == 0, ended.stderr
    trials = require_complete(url_in(tmp_path), 2)
    best = max(trials, key=lambda trial: trial.value or 0.0)
    assert ended.stdout.splitlines() == [best.user_attrs["graph"], "2 True"]
    assert "2/2" in ended.stderr and f"best IS {best.value:.3f}" in ended.stderr and "\x1b" not in ended.stderr


THREAD = """
import threading
from colgan_search import launch, load_config
found = []
def cell():
    study = launch(load_config("small.yaml"), trials=1, workers=1, storage="sqlite:///mine.db")
    found.append(study.best().graph.to_text())
thread = threading.Thread(target=cell)
thread.start()
thread.join()
print(*found)
"""


@pytest.mark.slow
def test_from_a_thread_as_in_a_notebook(tmp_path: Path) -> None:
    write_config(tmp_path)
    ended = python(THREAD, tmp_path)
    assert ended.returncode == 0, ended.stderr
    (trial,) = require_complete(f"sqlite:///{tmp_path}/mine.db", 1)
    assert ended.stdout.strip() == trial.user_attrs["graph"] and ended.stderr == ""


DRAINED = """
import json, os, signal, sys, threading, time, traceback
from colgan_search import errors, launch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs begin without

def press_ctrl_c():
    main = threading.main_thread().ident
    while "_wait" not in [frame.name for frame in traceback.extract_stack(sys._current_frames()[main])]:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGINT)

study = launch("small.yaml", trials=2, workers=1, wait=False, overrides={"training.epochs": 1000})
def at_work():
    return [row for row in study.status().workers if row.epoch]
while not at_work():
    time.sleep(0.05)
print(at_work()[0].worker)
try:
    if sys.argv[1] == "drain":
        study.drain()
    else:
        threading.Thread(target=press_ctrl_c).start()
    study.wait()
except (errors.Interrupted, KeyboardInterrupt) as stopped:
    budget = study.status().budget
    print(json.dumps([type(stopped).__name__, budget.done, budget.running, len(study.status().workers)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("order", "name"), [("drain", "Interrupted"), ("ctrl-c", "KeyboardInterrupt")])
def test_a_handle_is_drained(order: str, name: str, tmp_path: Path) -> None:
    write_config(tmp_path)
    ended = python(DRAINED, tmp_path, order)
    assert ended.returncode == 0, ended.stderr
    worker, said = ended.stdout.splitlines()
    assert json.loads(said) == [name, 0, 0, 0]
    assert dead(int(worker.split(":")[1]))
    assert list((tmp_path / "colgan_work" / "small" / "trial-00000").glob("checkpoint*.pt"))


LEFT = """
from colgan_search import launch
study = launch("small.yaml", trials=9, workers=1, wait=False, overrides={"training.epochs": 1000})
while not study.status().workers:
    pass
print(study.status().workers[0].worker, flush=True)
"""


@pytest.mark.slow
def test_workers_leave_with_a_script_that_does_not_wait(tmp_path: Path) -> None:
    write_config(tmp_path)
    ended = python(LEFT, tmp_path)
    assert ended.returncode == 0, ended.stderr
    wait_for(lambda: dead(int(ended.stdout.split(":")[1])), "the worker to leave")
    assert optuna_study(url_in(tmp_path)).trials == [] or optuna_study(url_in(tmp_path)).trials[0].value is None


@pytest.mark.slow
def test_what_a_worker_refuses_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    study = launch(small_config(tmp_path), workers=0)
    optuna.load_study(study_name="small", storage=url_in(tmp_path)).set_user_attr("version", "0.0.0")
    study.close()
    with pytest.raises(errors.StudyError, match=r"made by colgan-search 0\.0\.0"):
        launch(small_config(tmp_path), workers=1)


@pytest.mark.slow
def test_train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = load_config(write_config(tmp_path))
    heard: list[int] = []
    trained = train("mad-gan", config, seeds=2, on_progress=lambda number, progress: heard.append(number))
    assert set(heard) == {0, 1} and len(trained.outcomes) == 2
    assert trained.folder == Path("colgan_work/train/small-mad-gan-1-epochs")
    scored = colgan_search.evaluate(colgan_search.EvaluateRequest(run=trained.folder / "seed-1"))
    assert scored.scores == trained.outcomes[1].scores
    assert train(trained.graph, config, seeds=2, out=trained.folder).outcomes == trained.outcomes, "not done again"
    assert os.environ.get("COLGAN_STORAGE") is None and SMALL["k"] == trained.graph.k
