"""The real images: read once, converted and resized once, and then held in memory as uint8."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor

from colgan_search.config import DataSettings
from colgan_search.downloading import Remote, fetch, needed
from colgan_search.errors import DataError, in_one_line
from colgan_search.files import locked
from colgan_search.gan.imagefolder import load_folder
from colgan_search.gan.resize import limited, resize, to_channels
from colgan_search.images import RealImages

CIFAR10_ARCHIVE = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
)  # the digest that Keras checks; torchvision's MD5 is checked as well when it is unpacked


def default_download_folder() -> Path:
    """`colgan-search` in the user's cache folder: $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colgan-search"


def load_images(settings: DataSettings, download_folder: Path | None = None) -> RealImages:
    """The images of `settings`, uint8 [N, settings.channels, settings.size, settings.size], in a fixed order.

    `settings.limit` takes the first so many of a shuffle that is always the same. Data sets that are downloaded go
    to `settings.root`, else to `download_folder`, else to `default_download_folder()`. DataError says what is
    missing or broken, and where.
    """
    folder = download_folder or default_download_folder()
    if settings.name == "imagefolder":
        assert settings.root is not None  # DataSettings sees to it
        root = Path(settings.root).expanduser()
        return load_folder(root, settings.size, settings.channels, settings.limit, skip_broken=settings.skip_broken)
    if settings.name == "digits":
        images, labels, classes = _digits()
    else:
        images, labels, classes = _cifar10(Path(settings.root).expanduser() if settings.root else folder)
    chosen = limited(len(images), settings.limit)
    images = resize(to_channels(images[chosen], settings.channels), settings.size)
    return RealImages(settings.name, images, labels[chosen], classes)


def _digits() -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """scikit-learn's 1,797 handwritten digits: 8 x 8, grey, 0..16 scaled to 0..255. No download."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = (torch.from_numpy(digits.images) * (255 / 16)).round().to(torch.uint8)[:, None]
    return images, torch.from_numpy(digits.target).long(), tuple(str(name) for name in digits.target_names)


def _cifar10(root: Path) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """CIFAR-10's 50,000 training images, 32 x 32 in colour, from `root` or downloaded to it."""
    from torchvision.datasets import CIFAR10

    by_hand = f"by hand: put {CIFAR10_ARCHIVE.address} into {root}, or name the folder that holds it with data.root"
    try:
        try:
            data = CIFAR10(root, train=True)  # there already, perhaps in a folder that cannot be written
        except RuntimeError:
            with needed(f"CIFAR-10 is not in {root} and", by_hand), _removed_if_in_vain(root):
                root.mkdir(parents=True, exist_ok=True)
                fetch(CIFAR10_ARCHIVE, root)
                with locked(root / CIFAR10.base_folder):
                    data = CIFAR10(root, train=True, download=True)  # unpacks
    except (OSError, RuntimeError, EOFError) as error:
        reason = in_one_line(error)
        raise DataError(f"CIFAR-10 in {root} cannot be read ({reason}); {by_hand}") from error
    images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
    return images, torch.tensor(data.targets), tuple(data.classes)


@contextmanager
def _removed_if_in_vain(root: Path) -> Iterator[None]:
    """If the block raises, the folders that were not there before it go again, unless they hold more than locks."""
    new = [place for place in (root, *root.absolute().parents) if not place.exists()]
    try:
        yield
    except BaseException:
        if new:
            for lock in root.glob("*.lock"):
                lock.unlink(missing_ok=True)
        for place in new:
            with suppress(OSError):
                place.rmdir()
        raise
