"""The user's own images: a folder that holds one folder of images per class, as torchvision's ImageFolder has it."""

import os
import struct
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

from colgan_search.errors import DataError
from colgan_search.gan.resize import limited, resize
from colgan_search.images import RealImages

MAX_THREADS = 8
"""Decoding threads; Pillow decodes outside Python's lock."""

LAYOUT = "data.root is a folder with one folder of images per class, at least two"


def load_folder(root: Path, size: int, channels: int, limit: int | None) -> RealImages:
    """All images below the class folders of `root` (or a fixed `limit` of them), sorted by class and name.

    Images of any shape: the short side is resized to `size` and the centre kept. DataError names what is wrong: the
    folder, a class without images, or the first file that is not a whole image.
    """
    files, classes = _list_files(root)
    files = [files[index] for index in limited(len(files), limit).tolist()]
    images = read_images([Path(name) for name, _ in files], size, channels)
    labels = torch.tensor([label for _, label in files], dtype=torch.int64)
    return RealImages("imagefolder", images, labels, tuple(classes))


def read_any_folder(root: Path, size: int, channels: int) -> Tensor:
    """All images anywhere below `root`, with class folders or without, sorted by path: uint8 [N, channels, size, size].

    Resized as `load_folder` does. DataError if there are none, or names the first that is not a whole image.
    """
    if not root.is_dir():
        raise DataError(f"{root}: there is no such folder of images")
    files = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS)
    if not files:
        raise DataError(f"{root}: holds no images: no file below it ends in {', '.join(IMG_EXTENSIONS)}")
    return read_images(files, size, channels)


def read_images(files: Sequence[Path], size: int, channels: int) -> Tensor:
    """The images of these files in their order, uint8 [N, channels, size, size]. DataError names a broken one."""
    images = torch.empty(len(files), channels, size, size, dtype=torch.uint8)

    def read_into_place(index: int) -> None:
        images[index] = resize(_read(files[index], channels)[None], size)[0]

    pool = ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1))
    try:
        for _ in pool.map(read_into_place, range(len(files))):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # the first broken file ends the reading
    return images


def _list_files(root: Path) -> tuple[list[tuple[str, int]], Sequence[str]]:
    """(file, class number) of every image, and the names of the classes."""
    if not root.exists():
        raise DataError(f"{root}: there is no such folder; {LAYOUT}")
    if not root.is_dir():
        raise DataError(f"{root}: is a file, not a folder; {LAYOUT}")
    try:
        classes, numbers = find_classes(root)
        files = make_dataset(root, numbers, extensions=IMG_EXTENSIONS, allow_empty=True)
    except FileNotFoundError:
        raise DataError(f"{root}: holds no class folders; {LAYOUT}") from None
    except OSError as error:
        raise DataError(f"{root}: cannot be read: {error}") from error
    if len(classes) == 1:
        raise DataError(f"{root}: holds a single class folder, {classes[0]!r}; {LAYOUT}")
    filled = {number for _, number in files}
    empty = [name for name in classes if numbers[name] not in filled]
    if empty:
        raise DataError(
            f"{root / empty[0]}: holds no images; every class folder needs at least one file that ends in "
            + ", ".join(IMG_EXTENSIONS)
        )
    return files, classes


def _read(path: Path, channels: int) -> Tensor:
    """One image file as uint8 [channels, H, W]."""
    try:
        with Image.open(path) as file:
            image: Image.Image = file
            if image.mode.startswith("I;16"):  # 16 bits: Pillow's own conversion would clip at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            pixels = np.array(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: is not a whole image ({error}); repair or remove it") from error
    return torch.from_numpy(pixels).reshape(*pixels.shape[:2], channels).permute(2, 0, 1)
