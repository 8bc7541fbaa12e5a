"""The user's own images: a folder that holds one folder of images per class, or images alone."""

import os
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from colgan_search.errors import DataError, in_one_line
from colgan_search.gan.image_files import Listing, list_all, list_classes
from colgan_search.gan.resize import limited, resize
from colgan_search.images import RealImages

MAX_THREADS = 8
"""Decoding threads; Pillow decodes outside Python's lock."""

LISTED = 20
"""At most so many unusable images are named."""

BACKGROUND = "white"
"""What shows through where an image is transparent; the colours stored there are not meant to be seen."""

NO_IMAGE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError)
"""What Pillow raises over a file that is not a whole image."""


def load_folder(root: Path, size: int, channels: int, limit: int | None, *, skip_broken: bool = False) -> RealImages:
    """All images below the class folders of `root` (or a fixed `limit` of them), sorted by class and name.

    Without class folders: the images in `root`, of no class. Images of any shape are turned upright as their EXIF
    orientation says, put on a white background where they are transparent, their short side is resized to `size` and
    the centre kept. Symbolic links below `root` are not followed. DataError names all that cannot be used, links
    included, or if `skip_broken` leaves a class without images; the limit takes its share before these are left out.
    """
    listing = list_classes(root)
    chosen = limited(len(listing.files), limit).tolist()
    images, broken = read_images([listing.files[index] for index in chosen], size, channels)
    unusable = listing.refused | broken
    if unusable and not skip_broken:
        raise DataError(_refusal(root, unusable, "repair or remove", ", or leave {} out with `skip_broken`"))
    kept = [index for index in chosen if listing.files[index] not in broken]
    labels = torch.tensor([listing.labels[index] for index in kept], dtype=torch.int64)
    _require_some(root, listing, broken)
    return RealImages("imagefolder", images, labels, listing.classes, left_out=len(unusable))


def read_any_folder(root: Path, size: int, channels: int) -> Tensor:
    """All images anywhere below `root`, with class folders or without, sorted by path: uint8 [N, channels, size, size].

    Read as `load_folder` does. DataError if there are none, or names all that cannot be used.
    """
    listing = list_all(root)
    images, broken = read_images(listing.files, size, channels)
    unusable = listing.refused | broken
    if unusable:
        raise DataError(_refusal(root, unusable, "repair or remove", ""))
    return images


def read_images(files: Sequence[Path], size: int, channels: int) -> tuple[Tensor, dict[Path, str]]:
    """The whole images among these files in their order, uint8 [N, channels, size, size]; and the others: file -> why
    it is none."""
    images = torch.empty(len(files), channels, size, size, dtype=torch.uint8)

    def read_into_place(index: int) -> str | None:
        try:
            images[index] = resize(_read(files[index], channels)[None], size)[0]
        except NO_IMAGE as error:
            return f"is not a whole image ({in_one_line(error, None)})"
        return None

    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
    try:
        reasons = list(pool.map(read_into_place, range(len(files))))
    finally:
        pool.shutdown(cancel_futures=True)
    broken = {file: reason for file, reason in zip(files, reasons, strict=True) if reason is not None}
    if broken:
        images = images[[reason is None for reason in reasons]]
    return images, broken


def _refusal(root: Path, unusable: Mapping[Path, str], remedy: str, otherwise: str) -> str:
    """One message about all of them."""
    if len(unusable) == 1:
        ((path, reason),) = unusable.items()
        return f"{path}: {reason}; {remedy} it{otherwise.format('it')}"
    named = [f"\n  {path.relative_to(root)}: {reason}" for path, reason in sorted(unusable.items())[:LISTED]]
    rest = f"\n  and {len(unusable) - LISTED:,} more" if len(unusable) > LISTED else ""
    return (
        f"{root}: {len(unusable):,} of its images cannot be used; {remedy} them{otherwise.format('them')}:"
        + "".join(named)
        + rest
    )


def _require_some(root: Path, listing: Listing, broken: Mapping[Path, str]) -> None:
    """DataError if nothing is left of the folder or of one of its classes."""
    left = {label for file, label in zip(listing.files, listing.labels, strict=True) if file not in broken}
    if not left:
        raise DataError(f"{root}: none of its images can be used; without `skip_broken` you are told why")
    for number, name in enumerate(listing.classes):
        if number not in left:
            raise DataError(f"{root / name}: none of its images can be used; repair them or remove the class")


def _read(path: Path, channels: int) -> Tensor:
    """One image file as uint8 [channels, H, W]."""
    with Image.open(path) as file:
        image = _on_background(_eight_bits(_upright(file)))
        pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    """Turned and mirrored as the camera noted; as it is if the note cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except NO_IMAGE:
        return image  # pixels that are broken are found when they are converted


def _eight_bits(image: Image.Image) -> Image.Image:
    """16 bits of grey as 8: Pillow's own conversion would clip at 255."""
    if not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    transparent = image.info.get("transparency")  # PNG: one value that means nothing is there
    if isinstance(transparent, int):
        grey.putalpha(Image.fromarray(np.where(values == transparent, 0, 255).astype(np.uint8)))
    return grey


def _on_background(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, BACKGROUND), image)
