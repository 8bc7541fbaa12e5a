"""A worker that trains when its time limit comes, on a real Slurm: it drains by a checkpoint, the next goes on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster.one_node_slurm import OneNodeSlurm
from tests.cluster.test_slurm import seconds_of_drains, tail
from tests.fleet import DRAIN_SECONDS, rows_of, wait_until
from tests.integration.cli_helpers import config_data

WAIT_SECONDS = 900.0
"""A limit of two minutes, twice, and the two minutes for which Slurm holds a requeued element back."""
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(2400)]


def test_the_limit_comes_in_the_middle_of_a_training(
    slurm: OneNodeSlurm, prepared_postgres_url: str, tmp_path: Path
) -> None:
    """One trial that never ends, elements that run one after the other, each into its limit."""
    url, out = prepared_postgres_url, tmp_path / "out"
    config = tmp_path / "small.yaml"
    changes = {"training__epochs": 100_000, "service": {"lease_seconds": 20.0}, "runtime__checkpoint_minutes": 60.0}
    config.write_text(yaml.safe_dump(config_data(**changes)))
    command = [sys.executable, "-m", "colgan_search", "launch", "--config", str(config), "--trials", "1"]
    command += ["--on", "slurm", "--dry-run", "--gpus", "0", "--partition", "low", "--set", "cluster.cpus=1"]
    command += ["--out", str(out), "--work-dir", str(tmp_path / "work"), "--checkpoints", str(tmp_path / "shared")]
    command += ["--set", f"cluster.work_dir={tmp_path}/node-$SLURM_ARRAY_TASK_ID"]
    environment = {**slurm.environment, "COLGAN_STORAGE": url, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True)
    script = str(out / "workers.sbatch")
    said = subprocess.run(
        ["sbatch", "--parsable", "--array=0-1%1", "--time=2", "--signal=B:USR2@20", script],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    job = said.stdout.strip()
    try:
        # The checkpoint of the drain is the only one: the next is an hour away.
        wait_until(lambda: len(continued(out)) == 2, "two elements went on from a checkpoint", WAIT_SECONDS)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{tail(out)}") from None
    finally:
        slurm.run("scancel", job)
    drains = seconds_of_drains(out)
    assert len(drains) >= 2 and max(drains) <= DRAIN_SECONDS, (drains, tail(out))
    one, two = continued(out)
    assert 0 < one < two, "each came further than the one before"
    ((token, state),) = rows_of(url, "SELECT token, state FROM colgan_slots")
    assert (token, state) in ((3, "leased"), (3, "free")), "claimed three times, always the same trial"
    assert "ended with 0 after limit; comes again" in "".join(file.read_text() for file in logs(out))
    print(f"drains in the middle of a training: {drains} s; went on from iterations {one} and {two}")


def continued(out: Path) -> list[int]:
    """The iterations from which trial 0 was gone on with, in the order of the times."""
    form = re.compile(r"^(\S+) .*goes on from (?:the shared|this machine's) checkpoint, iteration (\d+)", re.MULTILINE)
    found = [match for file in logs(out) for match in form.findall(file.read_text())]
    return [int(iteration) for _, iteration in sorted(found)]


def logs(out: Path) -> list[Path]:
    return sorted((out / "logs").glob("*.log"))
