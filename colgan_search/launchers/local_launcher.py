"""`local`: worker processes of this machine (see `launchers.local`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from colgan_search.extensions.launchers import Launcher, LauncherSettings, WorkersWanted

if TYPE_CHECKING:
    from colgan_search.launchers.local import LocalWorkers
    from colgan_search.search.study.opening import OpenStudy


class Local(Launcher):
    """One process per GPU (`workers_per_gpu`: several), or per usable core where there is none."""

    name = "local"

    def plan(self, settings: LauncherSettings, wanted: WorkersWanted) -> list[str]:
        """One device per worker."""
        from colgan_search.launchers.planning import plan_devices

        return plan_devices(wanted.runtime, wanted.workers, wanted.device, wanted.workers_per_gpu)

    def start(
        self, settings: LauncherSettings, study: "OpenStudy", work: Path, planned: Sequence[str]
    ) -> "LocalWorkers":
        """Starts the processes; they drain when this one ends."""
        from colgan_search.launchers.local import LocalWorkers

        return LocalWorkers(study, work, planned, settings.checkpoints)


LOCAL = Local()
