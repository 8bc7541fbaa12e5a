"""`launch`: check everything, make or resume the study, start this machine's workers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from colgan_search import presets
from colgan_search.api.space import space_lines
from colgan_search.api.study_scoring import classifier_caches
from colgan_search.api.work_and_storage import (
    DEFAULT_WORK_DIR,
    existing_parent,
    require_study_folder,
    require_study_name,
    storage_text,
    work_folder,
)
from colgan_search.config import StudyConfig
from colgan_search.errors import DeviceError, NothingThere, StudyError
from colgan_search.evaluation.extractors import load_extractor
from colgan_search.experiment import check_config, load_real
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.extensions.launchers import (
    LAUNCHERS,
    ClusterLauncher,
    Launcher,
    LauncherSettings,
    Order,
    Workers,
    WorkersWanted,
)
from colgan_search.file_names import WorkFolder
from colgan_search.files import require_space
from colgan_search.launchers import ordering
from colgan_search.launchers.cluster_workers import ClusterWorkers
from colgan_search.search.budget import draining
from colgan_search.search.care.reusing import require_same_measure, reuse
from colgan_search.search.database.opening import open_storage, require_server
from colgan_search.search.proposing import space
from colgan_search.search.study.opening import OpenStudy, create_or_open, open_study, same_study


@dataclass(frozen=True)
class LaunchRequest:
    """What a person asked for. None means the config's own, or the machine's default."""

    config: StudyConfig
    trials: int | None = None
    study: str | None = None
    storage: str | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    workers: int | None = None
    device: str | None = None
    launcher: str | None = None
    """Who starts the workers: a member of `extensions.launchers.LAUNCHERS`; None = the config's `cluster.kind`."""
    reuse: tuple[str, ...] = ()
    """Other studies of the database whose measured graphs are taken over as replicates."""
    out: Path | None = None
    """Where the files of a scheduler go; None = the study's folder in the work folder."""
    workers_per_gpu: int | str | None = None
    """How many share a GPU, or `auto`: as many as its memory takes."""


@dataclass(frozen=True)
class Launched:
    """A study with its budget set, and the devices that workers are to be started on; none with `--workers 0`."""

    study: OpenStudy
    work: WorkFolder
    devices: list[str]
    launcher: Launcher
    settings: LauncherSettings
    order: Order | None = None
    """What a scheduler's files are made from; None = the launcher writes none."""

    def start_workers(self) -> Workers:
        """Starts one worker process per device, or writes the files of a scheduler and hands them in."""
        if self.order is None:
            return self.launcher.start(self.settings, self.study, self.work.root, self.devices)
        assert isinstance(self.launcher, ClusterLauncher)
        self.write_files()
        out = Path(self.order.out)
        handed_in = self.launcher.hand_in(self.settings, self.study.name, out, ordering.without_secrets())
        return ClusterWorkers(self.study, len(self.devices), handed_in)

    def write_files(self) -> list[Path]:
        """Writes the files of a scheduler and hands nothing in; none if the workers are processes of this machine."""
        if self.order is None:
            return []
        assert isinstance(self.launcher, ClusterLauncher)
        return ordering.write(self.launcher, self.settings, self.order, self.study.storage.url_with_password)

    @property
    def by_hand(self) -> str:
        """The command line that hands the written files in."""
        assert isinstance(self.launcher, ClusterLauncher) and self.order is not None
        return self.launcher.by_hand(self.settings, Path(self.order.out))


def prepare_launch(request: LaunchRequest, say: Callable[[str], None] = lambda text: None) -> Launched:
    """Checks the request, and only then makes the study or changes its total. BadInput says what is wrong."""
    config = request.config
    total = config.search.trials if request.trials is None else request.trials
    if not isinstance(total, int) or isinstance(total, bool) or total < 1:
        raise StudyError(f"`trials` {total!r} is not allowed: it is the study's total, a whole number of at least 1")
    name = require_study_name(request.study or config.name, config, "`study`")
    check_config(config)
    for text in config.search.first:
        space.params_of(presets.resolve(text, config.roster), config.search.gates)
    launcher, settings = chosen_launcher(request)
    if isinstance(launcher, ClusterLauncher) and launcher.brings_database(settings):
        raise StudyError(
            "`cluster.postgres` brings a database along, which is not seen from here: only its files are written"
        )
    if request.workers_per_gpu is not None and not launcher.here:
        raise DeviceError(f"`workers_per_gpu` is for workers of this machine, not for launcher {launcher.name}")
    asked = WorkersWanted(config.runtime, settings.workers, request.device, request.workers_per_gpu)
    devices = list(launcher.plan(settings, asked))
    work = work_folder(request.work_dir)
    if devices:
        require_study_folder(work, name)
    storage = storage_text(request.storage, work)
    wanted = _order(launcher, settings, request, work, name, total) if devices else None
    # A wrong password is told before 50,000 images are read.
    begun = _require_place(storage, config, name, request)
    for line in space_lines(config, begun if begun is not None and request.trials is None else total):
        say(line)
    if devices and launcher.here:
        _require_readiness(config, work, name, say)
    require_space(existing_parent(work.root))
    opened = open_storage(storage, create=True)
    try:
        study = create_or_open(opened, config, name, total)
        draining.lift(opened, study.uid)
        # Without --trials a study that was extended keeps its total.
        if request.trials is not None:
            study.slots.set_total(total)
        for other in dict.fromkeys(request.reuse):
            say(reuse(study, open_study(opened, other)).words)
    except BaseException:
        opened.close()
        raise
    return Launched(study, work, devices, launcher, settings, wanted)


def chosen_launcher(request: LaunchRequest) -> tuple[Launcher, LauncherSettings]:
    """Who starts the workers, with its settings: the config's, where that means the same one, and as many as wanted."""
    config = request.config
    launcher = LAUNCHERS.get(request.launcher or config.cluster.kind)
    settings = config.cluster if config.cluster.kind == launcher.name else launcher.settings(kind=launcher.name)
    if request.workers is not None:
        settings = settings.model_copy(update={"workers": request.workers})
    return launcher, settings


def _order(
    launcher: Launcher, settings: LauncherSettings, request: LaunchRequest, work: WorkFolder, name: str, total: int
) -> Order | None:
    """What a scheduler's files say, whole enough to be written; None for another launcher. BadInput if it cannot be."""
    if not isinstance(launcher, ClusterLauncher):
        if request.out is not None:
            raise StudyError(f"`out` {request.out}: {launcher.name} writes no files; name a scheduler for them")
        return None
    if request.device is not None:
        raise DeviceError(f"`device` {request.device}: {launcher.name} gives workers their devices; set runtime.device")
    out = work_folder(request.out or work.handed_in(name, launcher.name), "--out").root
    wanted = ordering.order(request.config, name, storage_text(request.storage, work), work.root, out, total)
    launcher.files(settings, wanted)  # refuses now what it would refuse then
    return wanted


def _require_place(storage: str, config: StudyConfig, name: str, request: LaunchRequest) -> int | None:
    """BadInput unless the database can be used, holds no other study of this name, and not more trials than these, and
    has the studies that are to be reused, measured alike. Makes nothing.

    The total of the study as it is; None if it is not there.
    """
    require_server(storage)
    try:
        opened = open_storage(storage)
    except NothingThere:
        if request.reuse:
            raise
        return None
    try:
        study = same_study(opened, config, name)
        if study is not None and request.trials is not None:
            study.slots.require_total(request.trials)
        for other in dict.fromkeys(request.reuse):
            if other == name:
                raise StudyError(f"`reuse` {other}: that is the study itself; name another")
            require_same_measure(config, open_study(opened, other))
        return None if study is None else study.slots.budget().total
    finally:
        opened.close()


def _require_readiness(config: StudyConfig, work: WorkFolder, name: str, say: Callable[[str], None]) -> None:
    """BadInput unless the images and weights that workers on this machine need are here, or can be downloaded."""
    say(f"reading the real images: {config.data.name}")
    real = load_real(config)
    say(f"found {real.counted}")
    kind = EXTRACTORS.get(config.evaluation.extractor)
    if kind.trained:
        kind.ready(config.evaluation, real, classifier_caches(work, name))
    else:
        # What is trained is so by the first worker, on its device; weights that are a file must be there before.
        say(f"looking for the extractor's weights: {kind.name}")
        load_extractor(config.evaluation, real, work.cache, torch.device("cpu"))
