"""Images of the same z over the epochs of a training, as a strip and as a film in its run folder."""

import logging
from pathlib import Path

import numpy as np
from PIL.Image import Image

from colgan_search.errors import DiskFull
from colgan_search.figures.compact import Images, film, strip
from colgan_search.file_names import FILM_FILE, FRAMES_FILE, STRIP_FILE
from colgan_search.files import atomic_path

log = logging.getLogger(__name__)

Frames = list[tuple[int, list[Images]]]
"""(epoch, and per generator uint8 [n, H, W, 1 or 3]) of each moment."""


def frames_of(folder: Path) -> Frames:
    """What telemetry has kept in the run folder; empty if it has nothing."""
    if not (file := folder / FRAMES_FILE).is_file():
        return []
    with np.load(file, allow_pickle=False) as kept:
        epochs, images = kept["epochs"].tolist(), kept["images"].transpose(0, 1, 2, 4, 5, 3)
    return list(zip(epochs, [list(moment) for moment in images], strict=True))


def draw_epochs(folder: Path, frames: Frames) -> Image:
    """Writes strip and film beside the frames, and gives the strip."""
    whole = strip(frames)
    with atomic_path(folder / STRIP_FILE) as temporary:
        whole.save(temporary, format="PNG")
    with atomic_path(folder / FILM_FILE) as temporary:
        temporary.write_bytes(film(frames))
    return whole


def try_to_draw(folder: Path) -> None:
    """The same of what there is; as with telemetry itself, what cannot be written is no reason to fail."""
    try:
        if frames := frames_of(folder):
            draw_epochs(folder, frames)
    except (OSError, ValueError, DiskFull) as error:
        log.warning("images over the epochs not drawn: %s", error)
