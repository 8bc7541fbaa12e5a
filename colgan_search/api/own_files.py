"""Which of this machine's files a study may read: its owner says so, not whoever can write to the study's database."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colgan_search.config import StudyConfig, with_overrides
from colgan_search.errors import DataError
from colgan_search.evaluation.inception_file import hub_path
from colgan_search.extensions.datasets import DATASETS
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.gan.datasets.loading import default_download_folder

VARIABLE = "COLGAN_DATA"
"""Folders of images and weights that any study may read here, parted as in PATH."""


@dataclass(frozen=True)
class OwnFiles:
    """What was named on this machine: a folder of images, a file of Inception weights. None = nothing."""

    data_root: str | None = None
    weights: str | None = None

    def applied(self, config: StudyConfig, study: str) -> StudyConfig:
        """The config of a study in a database, with this machine's own files in it.

        DataError if it names others that lie neither among the downloads nor in a folder of COLGAN_DATA. Symlinks are
        followed first.
        """
        return self._applied(config, f"study {study!r}: its config in the database")

    def applied_to_bundle(self, config: StudyConfig, folder: Path) -> StudyConfig:
        """The same for the config in a bundle or run folder, which somebody else may have made."""
        return self._applied(config, f"{folder}: its config")

    def _applied(self, config: StudyConfig, whose: str) -> StudyConfig:
        if self.data_root is not None:
            config = with_overrides(config, {"data.root": self.data_root}, "--data-root")
        elif config.data.root is not None and DATASETS.get(config.data.name).reads_root:
            _require_allowed(config.data.root, [default_download_folder()], whose, "data.root", "--data-root")
        if self.weights is not None:
            config = with_overrides(config, {"evaluation.weights": self.weights}, "--weights")
        elif config.evaluation.weights is not None and EXTRACTORS.get(config.evaluation.extractor).reads_weights:
            downloads = [default_download_folder(), hub_path().parent]
            _require_allowed(config.evaluation.weights, downloads, whose, "evaluation.weights", "--weights")
        return config


def options_for(config: StudyConfig) -> list[str]:
    """The options by which a command that has the config from a database may read its files here: none if it may."""
    options = []
    for option, path, given in (
        ("--data-root", config.data.root, OwnFiles(weights=config.evaluation.weights)),
        ("--weights", config.evaluation.weights, OwnFiles(data_root=config.data.root)),
    ):
        try:
            given.applied(config, config.name)
        except DataError:
            options += [option, str(path)]
    return options


def named_in(config: StudyConfig | None, data_root: str | None, weights: str | None) -> OwnFiles:
    """What options name, or else a config that was given on this machine (not one out of a database)."""
    if config is not None:
        data_root, weights = data_root or config.data.root, weights or config.evaluation.weights
    return OwnFiles(data_root, weights)


def require_written(folder: str, whose: str) -> None:
    """DataError unless the folder `artifacts.place` lies in one of COLGAN_DATA: a worker would write there."""
    if not _lies_in(folder, []):
        raise DataError(
            f"{whose} names artifacts.place {folder[:300]!r}, and nobody has said on this machine that it may be "
            f"written to; if it may: put a folder around it into {VARIABLE}"
        )


def _require_allowed(path: str, downloads: Sequence[Path], whose: str, key: str, option: str) -> None:
    if not _lies_in(path, downloads):
        raise DataError(
            f"{whose} names {key} {path[:300]!r}, and nobody has said on this machine that it may be read; "
            f"if it may: {option} {path[:300]!r}, or a folder around it in {VARIABLE}"
        )


def _lies_in(path: str, folders: Sequence[Path]) -> bool:
    """True if it lies in one of these, or of COLGAN_DATA. Symlinks are followed first."""
    named = [Path(folder) for folder in os.environ.get(VARIABLE, "").split(os.pathsep) if folder]
    try:
        place = _resolved(Path(path))
        return any(place.is_relative_to(_resolved(folder)) for folder in [*folders, *named])
    except (OSError, ValueError, RuntimeError):  # too long, a null character, a loop of symlinks
        return False


def _resolved(path: Path) -> Path:
    return path.expanduser().resolve()
