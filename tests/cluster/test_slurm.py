"""Workers that a real Slurm of one node starts, requeues, cancels, preempts and runs into their time limits."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
import yaml
from optuna.trial import FrozenTrial, TrialState

from colgan_search.api.study_scoring import study_experiment
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from colgan_search.seeds import derive_seed
from tests.cluster.one_node_slurm import OneNodeSlurm
from tests.fleet import DRAIN_SECONDS, optuna_trials, rows_of, wait_until
from tests.integration.cli_helpers import config_data

TRIALS, WORKERS = 40, 4
STUDY_SECONDS = 1500.0
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(2400)]


def training(url: str, jobs: str) -> int:
    """How many workers whose job is so called hold a trial that has been given out."""
    held = "state = 'leased' AND trial_number IS NOT NULL"
    return len(rows_of(url, f"SELECT 1 FROM colgan_slots WHERE {held} AND worker LIKE '%:slurm-{jobs}'"))


def done(url: str) -> int:
    return len(rows_of(url, "SELECT 1 FROM colgan_slots WHERE state IN ('accepted', 'done')"))


def test_forty_trials_through_everything_that_a_scheduler_does(
    slurm: OneNodeSlurm, prepared_postgres_url: str, tmp_path: Path
) -> None:
    url = prepared_postgres_url
    config = tmp_path / "small.yaml"
    changes = {"training__epochs": 12, "service": {"lease_seconds": 20.0}, "runtime__checkpoint_minutes": 0.02}
    config.write_text(yaml.safe_dump(config_data(**changes)))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "colgan_search", "launch", "--config", str(config), "--trials", str(TRIALS)]
    command += ["--on", "slurm", "--workers", str(WORKERS), "--gpus", "0", "--minutes", "30", "--partition", "low"]
    command += ["--set", "cluster.cpus=1", "--out", str(out), "--work-dir", str(tmp_path / "work")]
    command += ["--set", f"cluster.work_dir={tmp_path}/node-$SLURM_JOB_ID", "--checkpoints", str(tmp_path / "shared")]
    environment = {**slurm.environment, "COLGAN_STORAGE": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (tmp_path / "launch.log").open("w") as log:
        launch = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        # All four train; meanwhile the same script again, by hand, with a limit of one minute.
        wait_until(lambda: training(url, "%") == WORKERS, "all elements train")
        main = slurm.elements("running")[0].partition("_")[0]
        script = str(out / "workers.sbatch")
        slurm.run("sbatch", "--array=8-9", "--time=1", "--signal=B:USR2@20", script)
        wait_until(lambda: limits(out), "the limit of a minute is met", STUDY_SECONDS)
        # Requeued: element 0 comes back.
        wait_until(lambda: training(url, f"{main}_0"), "element 0 trains")
        slurm.run("scontrol", "requeue", f"{main}_0")
        # Cancelled: element 1 is gone for good.
        wait_until(lambda: training(url, f"{main}_1"), "element 1 trains")
        slurm.run("scancel", f"{main}_1")
        # Preempted: an urgent job takes the node.
        wait_until(lambda: training(url, f"{main}_2") and training(url, f"{main}_3"), "elements 2 and 3 train")
        slurm.run("sbatch", "--partition=urgent", "--ntasks=6", "--output=/dev/null", "--wrap=sleep 2")
        assert launch.wait(STUDY_SECONDS) == 0, (tmp_path / "launch.log").read_text() + tail(out)
    finally:
        if launch.poll() is None:
            launch.kill()
            launch.wait()

    logs = "\n".join(file.read_text() for file in sorted((out / "logs").glob("*.log")))
    trials = optuna_trials(url, "small")
    assert Counter(trial.state for trial in trials) == {TrialState.COMPLETE: TRIALS}
    rows = rows_of(url, "SELECT slot, state, trial_number, outcome, token FROM colgan_slots ORDER BY slot")
    assert [(slot, state) for slot, state, *_ in rows] == [(slot, "done") for slot in range(TRIALS)]
    assert sorted(number for _, _, number, _, _ in rows) == list(range(TRIALS))
    for _, _, number, outcome, _ in rows:
        assert json.loads(outcome)["value"] == trials[number].value
        assert trials[number].user_attrs["seed"] == derive_seed(0, "trial", number, "replicate", 0)
    drains = seconds_of_drains(out)
    assert drains and max(drains) <= DRAIN_SECONDS, drains
    continued = [int(number) for number in re.findall(r"trial=(\d+) goes on from", logs)]
    assert continued, tail(out)
    print(f"drains {sorted(drains)} s; {len(continued)} times a trial went on from its checkpoint")
    assert_same_bits(url, trials[continued[0]], tmp_path / "again")


def assert_same_bits(url: str, trial: FrozenTrial, folder: Path) -> None:
    """The trial, trained again here without a break, has the same value."""
    torch.set_num_threads(1)
    study = open_study(open_storage(url), "small")
    try:
        experiment = study_experiment(study, WorkFolder(folder), torch.device("cpu"))
        graph = KnowledgeTransferGraph.from_text(trial.user_attrs["graph"])
        again = experiment(graph, trial.user_attrs["seed"], folder / "run", lambda progress: None, lambda: False)
        assert again.value == trial.value
    finally:
        study.storage.close()


def limits(out: Path) -> bool:
    """True once a worker was asked to leave by USR2: a time limit, or a preemption."""
    return any("asked to leave: limit" in file.read_text() for file in (out / "logs").glob("*.log"))


def seconds_of_drains(out: Path) -> list[int]:
    """Of every worker that USR2 asked to leave: how long it took."""
    form = re.compile(r"^(\d+) (asked to leave: limit|the worker ended with \d+)", re.MULTILINE)
    found = []
    for file in (out / "logs").glob("*.log"):
        asked: int | None = None
        for at, what in form.findall(file.read_text()):
            if what.startswith("asked"):
                asked = asked or int(at)
            elif asked is not None:
                found.append(int(at) - asked)
                asked = None
    return found


def tail(out: Path) -> str:
    """The ends of all logs; for a failed assertion."""
    return "\n".join(f"== {file.name}\n{file.read_text()[-1500:]}" for file in (out / "logs").glob("*.log"))
