"""`launch` where the files bring a database along: study and workers are made there, and not seen from here."""

from dataclasses import dataclass
from pathlib import Path

from colgan_search.api.launching import LaunchRequest, chosen_launcher
from colgan_search.api.work_and_storage import require_study_name, work_folder
from colgan_search.errors import StudyError
from colgan_search.experiment import check_config
from colgan_search.extensions.launchers import ClusterLauncher, LauncherSettings
from colgan_search.launchers import ordering


@dataclass(frozen=True)
class Unseen:
    """Files that were written; nothing is handed in yet."""

    study: str
    written: tuple[Path, ...]
    launcher: ClusterLauncher
    settings: LauncherSettings
    folder: Path

    @property
    def by_hand(self) -> str:
        """The command line that hands them in."""
        return self.launcher.by_hand(self.settings, self.folder)

    def hand_in(self) -> str:
        """Gives them to the scheduler; how a person sees the study from now on."""
        self.launcher.hand_in(self.settings, self.study, self.folder, ordering.without_secrets())
        return self.launcher.watched(self.settings, self.study)


def write_unseen(request: LaunchRequest) -> Unseen | None:
    """Checks the request and writes the files. None if the database is one that is seen from here.

    BadInput as `prepare_launch`, but for what only the database could say.
    """
    launcher, settings = chosen_launcher(request)
    if not isinstance(launcher, ClusterLauncher) or not launcher.brings_database(settings):
        return None
    if request.storage is not None or request.reuse:
        raise StudyError("the files bring a database of their own: leave `storage` and `reuse` out")
    config = request.config
    name = require_study_name(request.study or config.name, config, "`study`")
    check_config(config)
    work = work_folder(request.work_dir)
    out = work_folder(request.out or work.handed_in(name, launcher.name), "--out").root
    total = config.search.trials if request.trials is None else request.trials
    wanted = ordering.order(config, name, None, work.root, out, total)
    return Unseen(name, tuple(ordering.write(launcher, settings, wanted, None)), launcher, settings, out)
