"""The settings of `slurm`, and how its programs are asked."""

import subprocess
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from colgan_search.errors import BadInput
from colgan_search.launchers.cluster_settings import ClusterSettings, Name, Place

SCRIPT, LOGS = "workers.sbatch", "logs"
COMMAND_SECONDS = 120


class SlurmSettings(ClusterSettings):
    """Workers as the elements of a Slurm array."""

    partition: Name | None = Field(None, description="partitions, parted by commas; null = the cluster's default")
    account: Name | None = Field(None, description="who pays")
    qos: Name | None = Field(None, description="quality of service")
    options: tuple[Annotated[str, Field(pattern=r"^--[a-z][a-z-]*(=[A-Za-z0-9_.,:@+&|*/%()\[\]-]+)?$")], ...] = Field(
        (), description="more options of sbatch, e.g. ['--constraint=a100']"
    )
    work_dir: Place | None = Field(
        None,
        description="a worker's work folder: a node's local disk, e.g. $TMPDIR/colgan; null = the launching machine's, "
        "which all nodes must see",
    )
    signal_seconds: int = Field(
        120, ge=40, le=65_535, description="so long before its time limit a worker is asked to drain"
    )
    rounds: int = Field(50, ge=0, le=10_000, description="how often a worker that ran into its limit comes again")


def slurm(command: list[str], environment: Mapping[str, str]) -> str:
    """What one of Slurm's programs prints. BadInput in its own words if it refuses."""
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"{command[0]} does not answer: {error}") from error
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise BadInput(f"{command[0]} refuses: {said}")
    return done.stdout
