"""`cifar10`: CIFAR-10's 50,000 training images (section 4.1), 32 x 32 in colour, downloaded if need be."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from colgan_search.errors import DataError
from colgan_search.extensions.datasets import DataSet, DataSettings, Remote

if TYPE_CHECKING:
    from colgan_search.images import RealImages

ARCHIVE = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    170_498_071,
)
"""The digest is the one that Keras checks; torchvision's MD5 is checked as well when it is unpacked."""
IMAGES = 50_000


class Cifar10Settings(DataSettings):
    """None of its own."""

    name: Literal["cifar10"] = "cifar10"


class Cifar10(DataSet):
    """torchvision's."""

    name = "cifar10"
    settings = Cifar10Settings
    remotes = (ARCHIVE,)

    def missing(self, settings: Cifar10Settings, downloads: Path) -> int | None:
        """All of them, unless torchvision finds them whole."""
        from torchvision.datasets import CIFAR10 as Torchvisions

        try:
            Torchvisions(self.folder(settings, downloads), train=True)
        except (OSError, RuntimeError, EOFError):
            return IMAGES
        return None

    def load(self, settings: Cifar10Settings, downloads: Path) -> "RealImages":
        """From its folder, or downloaded to it."""
        import torch

        from colgan_search.gan.resize import fitted

        data = _torchvisions(self.folder(settings, downloads))
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        return fitted(self.name, images, torch.tensor(data.targets), tuple(data.classes), settings)


def _torchvisions(root: Path) -> Any:
    from filelock import FileLock
    from torchvision.datasets import CIFAR10 as Torchvisions

    lock = root / ".cifar10.lock"
    try:
        try:
            return Torchvisions(root, train=True)  # there already, perhaps in a folder that cannot be written
        except RuntimeError:
            with _removed_if_in_vain(root, lock):
                root.mkdir(parents=True, exist_ok=True)
                with FileLock(lock):  # workers that start together download once
                    return Torchvisions(root, train=True, download=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(
            f"CIFAR-10 is not in {root} and could not be downloaded ({' '.join(str(error).split())[:200]}); by hand: "
            f"put {ARCHIVE.address} into {root}, or name the folder that holds it with data.root"
        ) from error


@contextmanager
def _removed_if_in_vain(root: Path, lock: Path) -> Iterator[None]:
    """If the block raises, the folders that were not there before it go again, unless they hold more than `lock`."""
    new = [place for place in (root, *root.absolute().parents) if not place.exists()]
    try:
        yield
    except BaseException:
        if new:
            lock.unlink(missing_ok=True)
        for place in new:
            with suppress(OSError):
                place.rmdir()
        raise


CIFAR10 = Cifar10()
