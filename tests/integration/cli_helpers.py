"""What the tests of the command line share: a tiny study config, the program as a process, Optuna's view."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml
from optuna.trial import FrozenTrial, TrialState

from colgan_search.cli.app import run
from colgan_search.config import StudyConfig, load_config
from colgan_search.records import Outcome
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.delivering import deliver
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy, create_or_open
from tests.fake_worker import FakeExperiment

WAIT_SECONDS = 240.0
"""Longer than anything here takes on a busy machine, shorter than a test may take."""

SMALL: dict[str, Any] = {
    "name": "small",
    "k": 2,
    "data": {"name": "digits", "size": 8, "channels": 1},
    "network": {"name": "dcgan", "width": 4, "z": 8},
    "transfer": {"kind": "image", "alpha": 20},
    "training": {"epochs": 1, "batch": 64, "learning_rate": 2e-3},
    "evaluation": {
        "extractor": "classifier",
        "images": 64,
        "splits": 1,
        "interim_images": 32,
        "classifier_epochs": 2,
    },
    "search": {"trials": 2},
    "runtime": {"device": "cpu"},
}
"""A study whose trials take a second: 8 x 8 digits, one epoch of 28 iterations."""


def config_data(**changes: Any) -> dict[str, Any]:
    """SMALL with some values changed: `training__epochs=3` for training.epochs; None takes a key away."""
    data: dict[str, Any] = json.loads(json.dumps(SMALL))
    for path, value in changes.items():
        *sections, key = path.split("__")
        place = data
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = value
    return data


def write_config(folder: Path, **changes: Any) -> Path:
    """SMALL, changed, as a YAML file."""
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config_data(**changes)))
    return path


def environment(**extra: str) -> dict[str, str]:
    """For child processes: one thread each, no storage from outside."""
    clean = {key: value for key, value in os.environ.items() if key != "COLGAN_STORAGE"}
    return {**clean, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2]), **extra}


def command(*arguments: object) -> list[str]:
    """The program's command line."""
    return [sys.executable, "-m", "colgan_search", *map(str, arguments)]


def run_cli(*arguments: object, cwd: Path, **extra: str) -> "subprocess.CompletedProcess[str]":
    """Runs the program to its end."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=WAIT_SECONDS
    )


def start_cli(*arguments: object, cwd: Path, **extra: str) -> "subprocess.Popen[str]":
    """Starts the program; its output goes to a file in `cwd`, so that no full pipe can stop it."""
    with (cwd / f"output-{time.monotonic_ns()}.txt").open("w") as output:
        return subprocess.Popen(command(*arguments), cwd=cwd, env=environment(**extra), stdout=output, stderr=output)


def wait_for(condition: Callable[[], Any], what: str, seconds: float = WAIT_SECONDS) -> Any:
    """The first true answer of `condition`; AssertionError if there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds} s in vain for {what}")


def end(process: "subprocess.Popen[Any]", number: int = signal.SIGKILL) -> int:
    """Sends a signal to a process of ours and waits for its exit code."""
    if process.poll() is None:
        process.send_signal(number)
    return process.wait(timeout=WAIT_SECONDS)


def optuna_study(url: str, name: str = "small") -> optuna.Study:
    """The study by Optuna's own API alone."""
    text = normalise_url(url).render_as_string(hide_password=False)
    return optuna.load_study(study_name=name, storage=optuna.storages.RDBStorage(text))


def trials_of(url: str, name: str = "small") -> list[FrozenTrial]:
    """All its trials. Keeps no connection, for tests that look again and again."""
    storage = optuna.storages.RDBStorage(normalise_url(url).render_as_string(hide_password=False))
    try:
        return optuna.load_study(study_name=name, storage=storage).trials
    finally:
        storage.remove_session()
        storage.engine.dispose()


def require_complete(url: str, total: int, name: str = "small") -> list[FrozenTrial]:
    """Asserts exactly `total` complete trials, numbered from 0, and none in another state; gives them."""
    trials = trials_of(url, name)
    assert [trial.number for trial in trials] == list(range(total))
    assert {trial.state for trial in trials} == {TrialState.COMPLETE}
    return trials


def fake_study(url: str, config: StudyConfig, total: int, done: int) -> OpenStudy:
    """A study with `done` made-up results, told in the way of a real worker."""
    study = create_or_open(open_storage(url, create=True), config, config.name, total)
    fill(study, done)
    return study


def fill(study: OpenStudy, number: int) -> None:
    """So many more made-up results; fewer if the study ends early."""
    proposer = propose.Proposer(study, "the test")
    for _ in range(number):
        proposer.end_early()
        claim = study.slots.claim("host:1:00000001", 60.0)
        if claim is None:
            break
        assignment = proposer.assign(claim)
        outcome: Outcome = FakeExperiment(0.0)(
            assignment.graph, assignment.seed, Path(), lambda progress: None, lambda: False
        )
        text = json.dumps({"worker": "host:1:00000001", **outcome.model_dump(mode="json")}, sort_keys=True)
        assert study.slots.accept(assignment.claim, text)
        deliver.tell_closings(study)


def small_config(folder: Path, **changes: Any) -> StudyConfig:
    """SMALL, changed, as the program would read it."""
    return load_config(str(write_config(folder, **changes)))


def contents(folder: Path) -> Mapping[str, str]:
    """Every file below `folder` with its digest; folders too. SQLite's own side files are left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(("-shm", "-wal", ".lock"))
    }


def dead(pid: int) -> bool:
    """True if no process of that number runs (one that ended and was not waited for counts as dead)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in ("Z", "X")
    except OSError:
        return True


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Standard output of a command that ends well."""
    capsys.readouterr()
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out
