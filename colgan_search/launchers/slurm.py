"""`slurm`: an array job whose elements are workers. They drain before the time limit and come again by themselves."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from colgan_search.errors import BadInput
from colgan_search.extensions.checks import Check
from colgan_search.extensions.launchers import ClusterLauncher, HandedIn, Order
from colgan_search.launchers.slurm_checks import checks
from colgan_search.launchers.slurm_script import job_name, script
from colgan_search.launchers.slurm_settings import LOGS, SCRIPT, SlurmSettings, slurm


class Slurm(ClusterLauncher):
    """sbatch, squeue and scontrol of this machine."""

    name = "slurm"
    settings = SlurmSettings
    secret_name = "pgpass"
    folders = (LOGS,)

    def files(self, settings: SlurmSettings, order: Order) -> Mapping[str, str]:
        """The job script."""
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
        yield from checks(settings)


def _queued(name: str, environment: Mapping[str, str]) -> list[str]:
    """The elements of that name that wait or run, as squeue lists them."""
    return slurm(["squeue", "--noheader", "--array", "--me", f"--name={name}", "--format=%i"], environment).split()


def _last_words(logs: Path) -> str:
    """The last line of the log that was written to last."""
    files = sorted(logs.glob("*.log"), key=lambda file: file.stat().st_mtime)
    lines = files[-1].read_text(encoding="utf-8", errors="replace").strip().splitlines() if files else []
    return f"{lines[-1] if lines else 'no message'} (logs: {logs})"


SLURM = Slurm()
