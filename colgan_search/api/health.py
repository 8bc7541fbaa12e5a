"""`doctor`'s questions to this machine: versions, GPUs, memory, disk, images, weights, results that wait."""

import platform
import shlex
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path

import joblib
import psutil
import torch

from colgan_search.api.study_scoring import classifier_caches
from colgan_search.api.work_and_storage import existing_parent
from colgan_search.config import StudyConfig
from colgan_search.errors import BadInput, DataError, first_line
from colgan_search.experiment import check_config, load_real
from colgan_search.extensions.checks import Check, Level
from colgan_search.extensions.datasets import DATASETS
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.file_names import UNREADABLE_SUFFIX, WorkFolder
from colgan_search.files import FREE_SPACE_FLOOR_BYTES
from colgan_search.gan.datasets.loading import default_download_folder
from colgan_search.gan.trainer import require_images
from colgan_search.images import RealImages
from colgan_search.version import __version__

MEMORY_BYTES_PER_WORKER = 2 * 2**30
"""PyTorch, CIFAR-10 at 64 x 64 and a trial's networks, rounded up."""

SPARE_DISK_BYTES = 5 * 2**30


def versions() -> Check:
    """Of what matters for scores and for the database."""
    what = f"colgan-search {__version__}, Python {platform.python_version()}, PyTorch {torch.__version__}"
    return Check("versions", "ok", f"{what}, Optuna {version('optuna')}")


def gpus(config: StudyConfig | None) -> Iterator[Check]:
    """One line per GPU, after a computation on it; without any, what that means."""
    wanted = config.runtime.device if config is not None else "auto"
    if not torch.cuda.is_available():
        built = (
            f"PyTorch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "PyTorch is built without CUDA"
        )
        what = f"none that PyTorch can use ({built}); trials would run on {joblib.cpu_count()} cores"
        advice = "check `nvidia-smi`, the driver and PyTorch's CUDA; the CPU is enough for small studies only"
        level: Level = "error" if wanted == "cuda" else "ok" if wanted == "cpu" else "warning"
        yield Check("gpu", level, what, "" if level == "ok" else advice)
        return
    for index in range(torch.cuda.device_count()):
        name = f"gpu cuda:{index}"
        try:
            torch.ones(1, device=f"cuda:{index}").sum().item()
            free, total = torch.cuda.mem_get_info(index)
        except RuntimeError as error:
            yield Check(name, "error", first_line(error), "look at `nvidia-smi`; a restart may be needed")
            continue
        what = f"{torch.cuda.get_device_name(index)}, {_gib(free)} of {_gib(total)} free"
        busy = free < total / 2
        advice = "`nvidia-smi` shows who uses it; a trial that runs out of memory is given back" if busy else ""
        yield Check(name, "warning" if busy else "ok", what, advice)


def memory() -> Check:
    """Main memory that one more worker could use."""
    state = psutil.virtual_memory()
    what = f"{_gib(state.available)} of {_gib(state.total)} available"
    if state.available < MEMORY_BYTES_PER_WORKER:
        return Check("memory", "warning", what, "a worker may need 2 GiB: start fewer (`launch --workers`)")
    return Check("memory", "ok", what)


def disk(work: WorkFolder) -> Check:
    """Free space for checkpoints, results and logs."""
    place = existing_parent(work.root)
    free = shutil.disk_usage(place).free
    what = f"{_gib(free)} free at {place}"
    if free < FREE_SPACE_FLOOR_BYTES:
        return Check("disk", "error", what, "below the floor nothing is written: `colgan-search clean`, or --work-dir")
    if free < SPARE_DISK_BYTES:
        return Check("disk", "warning", what, "`colgan-search clean` shows what can go")
    return Check("disk", "ok", what)


def privacy(places: Iterable[Path]) -> Check:
    """Whether other users of this machine can read what we have made: work folder and SQLite file."""
    modes = {place: stat.S_IMODE(place.stat().st_mode) for place in places if place.exists()}
    open_ones = {place: mode for place, mode in modes.items() if mode & 0o077}
    if not open_ones:
        return Check("privacy", "ok", "work folder and SQLite file are closed to other users, or not there yet")
    what = ", ".join(f"{place} (mode {mode:04o})" for place, mode in open_ones.items())
    advice = " && ".join(f"chmod go= {shlex.quote(str(place))}" for place in open_ones)
    return Check("privacy", "warning", f"open to other users of this machine: {what}", advice)


def config_fits(config: StudyConfig) -> Check:
    """Whether the network can make such images."""
    check_config(config)
    return Check("config", "ok", f"{config.name}: k = {config.k}, {config.data.name} at {config.data.size} pixels")


def data(config: StudyConfig, images: "Images") -> Check:
    """Reads the real images, and refuses what `launch` refuses: by the same function. Downloads nothing."""
    settings = config.data
    real = images()
    if real is None:
        folder = DATASETS.get(settings.name).folder(settings, default_download_folder())
        advice = "the first worker downloads it; without internet see `colgan-search prepare`, or --data-root"
        return Check("data", "warning", f"{settings.name} is not in {folder}", advice)
    where = f" in {settings.root}" if settings.root else ""
    return Check("data", "ok", f"{settings.name}{where}: {real.counted}")


class Images:
    """The real images, read once for all checks, or the failure to."""

    def __init__(self, config: StudyConfig) -> None:
        self.config = config
        self._read: RealImages | BadInput | None = None
        self._tried = False

    def __call__(self) -> RealImages | None:
        """None if they would have to be downloaded. DataError and ConfigError as `load_real`."""
        if not self._tried:
            self._tried = True
            try:
                self._read = load_real(self.config) if self._are_here() else None
            except BadInput as error:
                self._read = error
        if isinstance(self._read, BadInput):
            raise self._read
        return self._read

    def _are_here(self) -> bool:
        """Whether nothing need be downloaded. ConfigError if what would be is too little for a batch."""
        settings = self.config.data
        missing = DATASETS.get(settings.name).missing(settings, default_download_folder())
        if missing is not None:
            require_images(min(settings.limit or missing, missing), self.config.training, self.config.k)
        return missing is None


def weights(config: StudyConfig, images: Images, work: WorkFolder) -> Check:
    """Whether the extractor could score at once. Downloads and trains nothing."""
    try:
        real = images()
    except BadInput:
        real = None  # `data` says it
    kind = EXTRACTORS.get(config.evaluation.extractor)
    found = kind.ready(config.evaluation, real, classifier_caches(work, config.name))
    return Check("weights", "ok" if found.ready else "warning", found.what, found.advice)


def spooled(work: WorkFolder, study: str | None) -> Check:
    """Results on this machine that the database has not accepted yet, of one study or of all."""
    folders = [work.spool(study)] if study is not None else sorted(work.root.glob("*/spool"))
    counts = {folder.parent.name: len(list(folder.glob("*.json"))) for folder in folders}
    broken = sum(len(list(folder.glob(f"*{UNREADABLE_SUFFIX}"))) for folder in folders)
    waiting = [f"{count} of study {name}" for name, count in counts.items() if count]
    if waiting:
        advice = (
            "once the database is reachable, any worker on this machine and work folder delivers them; "
            "those of a study that you have deleted are yours to delete"
        )
        return Check("spooled results", "warning", f"waiting: {', '.join(waiting)}", advice)
    if broken:
        return Check("spooled results", "warning", f"{broken} unreadable files", "`colgan-search clean` removes them")
    return Check("spooled results", "ok", "none wait")


def of_config(config: StudyConfig, work: WorkFolder) -> Iterator[Check]:
    """What a study needs of this machine."""
    images = Images(config)
    checks: dict[str, Callable[[], Check]] = {
        "config": lambda: config_fits(config),
        "data": lambda: data(config, images),
        "weights": lambda: weights(config, images, work),
    }
    for name, check in checks.items():
        try:
            yield check()
        except DataError as error:
            yield Check(name, "error", str(error), "see the message; --data-root and --weights name this machine's own")
        except BadInput as error:
            yield Check(name, "error", str(error), "correct the study config")


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"
