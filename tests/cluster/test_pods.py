"""The life of a Job's pods, as processes: SIGTERM and a drain, SIGKILL after the grace, a successor each time."""

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from optuna.trial import TrialState

from colgan_search.cli.app import run
from colgan_search.extensions.launchers import LEFT_CODE
from tests.fleet import WAIT_SECONDS, optuna_trials, rows_of, wait_until
from tests.integration.cli_helpers import config_data
from tests.integration.conftest import quiet_process  # noqa: F401

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.mark.usefixtures("quiet_process")
def test_pods_that_are_evicted_killed_and_replaced_keep_the_budget(
    prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, config = prepared_postgres_url, tmp_path / "small.yaml"
    changes = {"training__epochs": 40, "service": {"lease_seconds": 4.0}, "runtime__checkpoint_minutes": 0.01}
    config.write_text(yaml.safe_dump(config_data(**changes)))
    monkeypatch.setenv("COLGAN_STORAGE", url)
    assert run(["launch", "--config", str(config), "--workers", "0", "--work-dir", str(tmp_path / "made")]) == 0
    job = yaml.safe_load(_workers_yaml(config, url, tmp_path))
    arguments = job["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "143" in arguments

    def pod(number: int) -> "subprocess.Popen[bytes]":
        """A process with the pod's arguments, a disk of its own and the shared checkpoints."""
        words = [str(tmp_path / f"pod-{number}") if word.startswith("/runs") else word for word in arguments]
        return subprocess.Popen([sys.executable, "-m", "colgan_search", *words])

    def trains() -> bool:
        return bool(rows_of(url, "SELECT 1 FROM colgan_workers WHERE state = 'training' AND epoch >= 1"))

    pods = [pod(0)]
    wait_until(trains, "the first pod trains")
    pods[0].send_signal(signal.SIGTERM)  # an eviction
    assert pods[0].wait(WAIT_SECONDS) == LEFT_CODE, "a 0 would tell the Job that the study is done"
    assert rows_of(url, "SELECT state FROM colgan_slots") == [("free",)]
    pods.append(pod(1))
    wait_until(trains, "its successor trains")
    pods[1].kill()  # the grace was over, or the node was lost
    assert pods[1].wait(WAIT_SECONDS) == -signal.SIGKILL
    pods.append(pod(2))
    assert pods[2].wait(WAIT_SECONDS) == 0
    assert Counter(trial.state for trial in optuna_trials(url, "small")) == {TrialState.COMPLETE: 2}
    logs = "".join(file.read_text() for file in tmp_path.glob("pod-*/small/logs/*.log"))
    assert "goes on from the shared checkpoint" in logs, "on another disk"
    assert pod(3).wait(WAIT_SECONDS) == 0, "one that comes too late"


def _workers_yaml(config: Path, url: str, folder: Path) -> str:
    out = folder / "out"
    command = ["launch", "--config", str(config), "--on", "kubernetes", "--dry-run", "--out", str(out)]
    assert run([*command, "--work-dir", str(folder / "made"), "--checkpoints", str(folder / "shared")]) == 0
    return (out / "workers.yaml").read_text(encoding="utf-8")


@pytest.mark.usefixtures("quiet_process")
def test_a_pod_that_comes_before_its_study_waits_for_it(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its init container the worker would end as of bad input, and that fails the whole Job."""
    config = tmp_path / "small.yaml"
    config.write_text(yaml.safe_dump(config_data()))
    command = ["launch", "--config", str(config), "--on", "kubernetes", "--set", "cluster.postgres=true"]
    assert run([*command, "--dry-run", "--out", str(tmp_path / "out")]) == 0
    job = yaml.safe_load((tmp_path / "out" / "workers.yaml").read_text(encoding="utf-8"))
    pod = job["spec"]["template"]["spec"]
    (waiting,), (worker,) = pod["initContainers"], pod["containers"]
    assert waiting["env"] == worker["env"]
    here = tmp_path / "bin"
    here.mkdir()
    (here / "colgan-search").write_text(f'#!/bin/sh\nexec {sys.executable} -m colgan_search "$@"\n')
    (here / "colgan-search").chmod(0o755)
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLGAN_STORAGE", postgres_url)
    words = [word.replace("/runs", str(tmp_path)) for word in worker["args"]]
    assert subprocess.run(["colgan-search", *words], capture_output=True).returncode == 2
    shell = [word.replace("/runs", str(tmp_path)).replace("sleep 5", "sleep 0.2") for word in waiting["command"]]
    with (tmp_path / "waits").open("w") as said:
        waits = subprocess.Popen(shell, stderr=said)
    wait_until(lambda: (tmp_path / "waits").read_text().count("error:") >= 2, "it has asked twice")
    assert waits.poll() is None
    assert run(["launch", "--config", str(config), "--workers", "0", "--work-dir", str(tmp_path / "made")]) == 0
    assert waits.wait(WAIT_SECONDS) == 0
