"""`skypilot`: managed jobs on whatever cloud is cheapest, spot machines among them; each job is one worker."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from colgan_search.errors import BadInput, ConfigError
from colgan_search.extensions.launchers import ClusterLauncher, HandedIn, Order
from colgan_search.launchers.cluster_settings import ClusterSettings, Image, Line, Name
from colgan_search.launchers.yaml_text import yaml_text
from colgan_search.version import __version__

TASK, SECRET = "worker.yaml", "password.env"
COMMAND_SECONDS = 1800
"""A launch waits for a cloud's answer."""


class SkyPilotSettings(ClusterSettings):
    """Workers as SkyPilot's managed jobs."""

    accelerator: Name = Field("L4", description="kind of GPU")
    infra: Annotated[str, Field(pattern=r"^[a-z0-9*]+(/[A-Za-z0-9*_.-]+){0,2}$")] | None = Field(
        None, description="cloud, region, zone, e.g. aws/us-east-1; null = the cheapest"
    )
    spot: bool = Field(True, description="machines that may be taken away: such a job is begun again elsewhere")
    image: Image | None = Field(None, description="container of this package; null = setup installs it")
    disk_gib: int = Field(100, ge=20, le=10_000, description="disk of a machine")
    setup: tuple[Line, ...] = Field(
        ("pip install colgan-search",), description="lines of shell that install this package where there is no image"
    )
    restarts: int = Field(3, ge=0, le=1000, description="how often a job that failed by itself is begun again")


class SkyPilot(ClusterLauncher):
    """sky of this machine."""

    name = "skypilot"
    settings = SkyPilotSettings
    secret_name = SECRET

    def files(self, settings: SkyPilotSettings, order: Order) -> Mapping[str, str]:
        """The task of one worker."""
        head = (
            f"# A worker of the study {order.study}, written by colgan-search {__version__}. Read it, change it;\n"
            f"# it is handed in once for each worker: sky jobs launch {TASK}\n"
        )
        return {TASK: yaml_text(head, [task(settings, order)])}

    def secret_text(self, password: str) -> str:
        """A line of an env file."""
        quoted = password.replace("\\", "\\\\").replace("'", "\\'")
        return f"PGPASSWORD='{quoted}'\n"

    def by_hand(self, settings: SkyPilotSettings, folder: Path) -> str:
        """As a person hands it in, once for each worker."""
        return f"sky jobs launch{_secret_option(folder)} {shlex.quote(str(folder / TASK))}"

    def hand_in(self, settings: SkyPilotSettings, study: str, folder: Path, environment: Mapping[str, str]) -> HandedIn:
        """One managed job for each worker that is not there already under its name."""
        if shutil.which("sky") is None:
            raise BadInput(
                f"there is no sky on this machine; hand it in where there is: {self.by_hand(settings, folder)}"
            )
        there = _sky(["sky", "jobs", "queue", "--skip-finished"], environment)
        for number in range(settings.workers or 1):
            name = f"{job_name(study)}-{number}"
            if name not in there.split():
                options = shlex.split(_secret_option(folder))
                command = ["sky", "jobs", "launch", "--yes", "--detach-run", "--name", name, *options]
                _sky([*command, str(folder / TASK)], environment)
        return HandedIn(lambda: None, lambda: "see: sky jobs queue, sky jobs logs")


def job_name(study: str) -> str:
    """Of a study's jobs, before their number."""
    return "colgan-" + "".join(sign if sign.isalnum() else "-" for sign in study.lower())


def task(settings: SkyPilotSettings, order: Order) -> dict[str, Any]:
    """The task as SkyPilot's schema has it. ConfigError for a time limit, which SkyPilot does not know."""
    if settings.minutes is not None:
        raise ConfigError("cluster.minutes: a managed job of SkyPilot has no time limit; leave it out")
    resources: dict[str, Any] = {}
    if settings.infra is not None:
        resources["infra"] = settings.infra
    if settings.gpus:
        resources["accelerators"] = f"{settings.accelerator}:{settings.gpus}"
    resources |= {"cpus": f"{settings.cpus}+", "disk_size": settings.disk_gib, "use_spot": settings.spot}
    if settings.memory_gib is not None:
        resources["memory"] = f"{settings.memory_gib:g}+"
    if settings.image is not None:
        resources["image_id"] = f"docker:{settings.image}"
    resources["job_recovery"] = {"max_restarts_on_errors": settings.restarts}
    words = ["colgan-search", "worker", "--study", order.study, "--work-dir", "colgan_work"]
    words += ["--wait-for-database", f"{order.outage_minutes:g}"]
    words += [f"{option}={path}" for option, path in (order.own_files or {}).items()]
    if settings.checkpoints is not None:
        words += ["--checkpoints", settings.checkpoints]
    run = shlex.join(words)
    found: dict[str, Any] = {"name": job_name(order.study), "resources": resources}
    found["envs"] = {"COLGAN_STORAGE": order.storage}
    if order.secret is not None:
        found["secrets"] = {"PGPASSWORD": None}
    if settings.image is None:
        found["setup"] = "\n".join(settings.setup) + "\n"
    found["run"] = "\n".join([*settings.lines, f"exec {run}"]) + "\n"
    return found


def _secret_option(folder: Path) -> str:
    return f" --secret-file {shlex.quote(str(folder / SECRET))}" if (folder / SECRET).exists() else ""


def _sky(command: list[str], environment: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=COMMAND_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BadInput(f"sky does not answer: {error}") from error
    if done.returncode:
        raise BadInput(f"sky refuses: {' '.join(done.stderr.split())[-500:] or f'exit code {done.returncode}'}")
    return done.stdout


SKYPILOT = SkyPilot()
