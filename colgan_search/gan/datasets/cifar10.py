"""`cifar10`: CIFAR-10's 50,000 training images (section 4.1), 32 x 32 in colour, downloaded if need be."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from colgan_search.errors import DataError, in_one_line
from colgan_search.extensions.datasets import DataSet, DataSettings, Remote
from colgan_search.files import locked

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

        data = _torchvisions(self.folder(settings, downloads), self.remotes[0])
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        return fitted(self.name, images, torch.tensor(data.targets), tuple(data.classes), settings)


def _torchvisions(root: Path, archive: Remote) -> Any:
    from torchvision.datasets import CIFAR10 as Torchvisions

    from colgan_search.downloading import fetch, needed

    by_hand = f"by hand: put {archive.address} into {root}, or name the folder that holds it with data.root"
    try:
        try:
            return Torchvisions(root, train=True)  # there already, perhaps in a folder that cannot be written
        except RuntimeError:
            with needed(f"CIFAR-10 is not in {root} and", by_hand), _removed_if_in_vain(root):
                root.mkdir(parents=True, exist_ok=True)
                fetch(archive, root)
                with locked(root / Torchvisions.base_folder):
                    return Torchvisions(root, train=True, download=True)  # unpacks
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(f"CIFAR-10 in {root} cannot be read ({in_one_line(error)}); {by_hand}") from error


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


CIFAR10 = Cifar10()
