"""`slurm`: an array job whose elements are workers. They drain before the time limit and come again by themselves."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from colgan_search.errors import BadInput
from colgan_search.extensions.checks import Check
from colgan_search.extensions.launchers import ClusterLauncher, HandedIn, Order
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


class Slurm(ClusterLauncher):
    """sbatch, squeue and scontrol of this machine."""

    name = "slurm"
    settings = SlurmSettings
    secret_name = "pgpass"
    folders = (LOGS,)

    def files(self, settings: SlurmSettings, order: Order) -> Mapping[str, str]:
        """The job script."""
        from colgan_search.launchers.slurm_script import script

        return {SCRIPT: script(settings, order)}

    def secret_text(self, password: str) -> str:
        """libpq's password file."""
        from colgan_search.launchers.ordering import pgpass

        return pgpass(password)

    def by_hand(self, settings: SlurmSettings, folder: Path) -> str:
        """As a person hands it in."""
        return f"sbatch {folder / SCRIPT}"

    def hand_in(self, settings: SlurmSettings, study: str, folder: Path, environment: Mapping[str, str]) -> HandedIn:
        """Submits the array, unless one of this study is in the queue already: then that is watched."""
        from colgan_search.launchers.slurm_script import job_name

        name = job_name(study)
        if shutil.which("sbatch") is None:
            raise BadInput(
                f"there is no sbatch on this machine; hand it in where there is: {self.by_hand(settings, folder)}"
            )
        if not _queued(name, environment):
            slurm(["sbatch", str(folder / SCRIPT)], environment)

        def alive() -> int | None:
            try:
                return len(_queued(name, environment))
            except BadInput:
                return None  # the scheduler does not answer now

        def tidy() -> None:
            with suppress(BadInput):
                slurm(["scancel", "--state=PENDING", f"--jobname={name}", "--me"], environment)

        return HandedIn(alive, lambda: _last_words(folder / LOGS), tidy)

    def checks(self, settings: SlurmSettings) -> Iterator[Check]:
        """What this cluster would do to workers."""
        from colgan_search.launchers.slurm_checks import checks

        yield from checks(settings)


def _queued(name: str, environment: Mapping[str, str]) -> list[str]:
    """The elements of that name that wait or run, as squeue lists them."""
    return slurm(["squeue", "--noheader", "--array", "--me", f"--name={name}", "--format=%i"], environment).split()


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


def _last_words(logs: Path) -> str:
    """The last line of the log that was written to last."""
    files = sorted(logs.glob("*.log"), key=lambda file: file.stat().st_mtime)
    lines = files[-1].read_text(encoding="utf-8", errors="replace").strip().splitlines() if files else []
    return f"{lines[-1] if lines else 'no message'} (logs: {logs})"


SLURM = Slurm()
