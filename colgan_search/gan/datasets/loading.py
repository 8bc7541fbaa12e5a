"""The images of a data set by name, and where downloads go."""

import os
from pathlib import Path

import torch

from colgan_search.config import DataSettings
from colgan_search.errors import PluginError
from colgan_search.extensions.datasets import DATASETS
from colgan_search.images import RealImages


def default_download_folder() -> Path:
    """`colgan-search` in the user's cache folder: $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colgan-search"


def load_images(settings: DataSettings, download_folder: Path | None = None) -> RealImages:
    """The images of `settings`, uint8 [N, settings.channels, settings.size, settings.size], in a fixed order.

    `settings.limit` takes the first so many of a shuffle that is always the same. Data sets that are downloaded go
    to `settings.root`, else to `download_folder`, else to `default_download_folder()`. DataError says what is
    missing or broken, and where; PluginError if the data set gives anything else.
    """
    real = DATASETS.get(settings.name).load(settings, download_folder or default_download_folder())
    shape = (settings.channels, settings.size, settings.size)
    if real.images.dtype != torch.uint8 or real.images.shape[1:] != shape or len(real.images) != len(real.labels):
        raise PluginError(
            f"the data set {settings.name!r} gives images {real.images.dtype} {list(real.images.shape)} and "
            f"{len(real.labels)} labels, where uint8 [N, {', '.join(map(str, shape))}] and N labels are wanted"
        )
    return real
