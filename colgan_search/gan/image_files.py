"""Which files of a folder are its images: found without following links to folders, in a fixed order."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from colgan_search.errors import DataError

LAYOUT = "data.root is a folder with one folder of images per class, or of images alone (no classes)"

LINK = "is a symbolic link to a folder, and below the folder of images those are not followed: put the images there"
"""It may lead in a circle or to another class. The folder of images itself may be a link, and so may an image."""

DEAD_LINK = "is a symbolic link that leads to no file"


@dataclass(frozen=True)
class Listing:
    """The images of a folder, by class and then by name, and what looks like one but is not taken."""

    files: tuple[Path, ...]
    labels: tuple[int, ...]
    """Class number of every file; all 0 without classes."""
    classes: tuple[str, ...]
    """Names of the class folders, sorted; none if the images lie in the folder itself."""
    refused: dict[Path, str]
    """Path -> why it is not read: links to folders or to nothing, and what is no file."""


def list_classes(root: Path) -> Listing:
    """The images below the class folders of `root`; without class folders, those in `root` itself.

    With class folders, images beside them are not read. DataError if there is no such folder, if it or a part of it
    cannot be read, if it holds no images, or if a class folder holds none.
    """
    _require_folder(root, LAYOUT)
    files: list[Path] = []
    labels: list[int] = []
    classes: list[str] = []
    flat: list[Path] = []
    empty: list[Path] = []
    refused: dict[Path, str] = {}
    for entry in _entries(root):
        if entry.is_symlink() and (why := _wrong_with(entry)) is not None:
            refused[entry] = why
        elif entry.is_dir():
            before = len(refused)
            found = list(_walk(entry, refused))
            if not found and len(refused) == before:
                empty.append(entry)
                continue
            files += found
            labels += [len(classes)] * len(found)
            classes.append(entry.name)
        elif _is_image(entry.name):
            flat.append(entry)
    if not classes and not refused and not flat and not empty:
        raise DataError(f"{root}: holds no class folders and no images; {LAYOUT}")
    if empty and (classes or not flat):
        raise DataError(f"{empty[0]}: holds no images; every class folder needs at least one file that ends in {ENDS}")
    if classes:
        return Listing(tuple(files), tuple(labels), tuple(classes), refused)
    kept = tuple(path for path in flat if _is_taken(path, refused))
    return Listing(kept, (0,) * len(kept), (), refused)


def list_all(root: Path) -> Listing:
    """The images anywhere below `root`, sorted by path, without classes. DataError as `list_classes`."""
    _require_folder(root, "name a folder of images")
    refused: dict[Path, str] = {}
    files = tuple(sorted(_walk(root, refused)))
    if not files and not refused:
        raise DataError(f"{root}: holds no images: no file below it ends in {ENDS}")
    return Listing(files, (0,) * len(files), (), refused)


ENDS = ", ".join(IMG_EXTENSIONS)


def _require_folder(root: Path, right: str) -> None:
    if not root.exists():
        raise DataError(f"{root}: there is no such folder; {right}")
    if not root.is_dir():
        raise DataError(f"{root}: is a file, not a folder; {right}")


def _entries(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir(), key=lambda path: path.name)
    except OSError as error:
        raise _unreadable(error) from error


def _walk(top: Path, refused: dict[Path, str]) -> Iterator[Path]:
    """The image files below `top`, folder by folder; adds to `refused` what is not taken."""

    def fail(error: OSError) -> None:
        raise _unreadable(error) from error  # else os.walk leaves the folder out without a word

    for folder, below, names in sorted(os.walk(top, onerror=fail)):
        for name in sorted(below):
            if Path(folder, name).is_symlink():
                refused[Path(folder, name)] = LINK
        for name in sorted(names):
            path = Path(folder, name)
            if _is_image(name):
                if _is_taken(path, refused):
                    yield path
            elif path.is_symlink() and (why := _wrong_with(path)) is not None:
                refused[path] = why


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMG_EXTENSIONS)


def _is_taken(path: Path, refused: dict[Path, str]) -> bool:
    """True for a plain file, or a link to one. Opening a pipe would wait for ever."""
    if path.is_symlink() and (why := _wrong_with(path)) is not None:
        refused[path] = why
        return False
    try:
        plain = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        raise _unreadable(error) from error
    if not plain:
        refused[path] = "is not a file"
    return plain


def _wrong_with(link: Path) -> str | None:
    """Why a link is not followed; None for one to anything but a folder. One to nothing might have been a class."""
    try:
        if not link.exists():  # also one that leads in a circle
            return DEAD_LINK
        return LINK if link.is_dir() else None
    except OSError:
        return DEAD_LINK


def _unreadable(error: OSError) -> DataError:
    return DataError(f"{error.filename}: cannot be read: {error.strerror}")
