"""Data sets: where the real images come from. Built in: `digits`, `cifar10`, `imagefolder`."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from colgan_search.extensions.section import Section
from colgan_search.registry import Registry

if TYPE_CHECKING:
    from colgan_search.images import RealImages


class DataSettings(Section):
    """The settings that every data set has."""

    name: str
    root: str | None = Field(None, description="folder of the images; null = the default download folder")
    size: int = Field(64, ge=4, le=1024, description="height and width in pixels after one resize")
    channels: Literal[1, 3] = Field(3, description="1 = grey, 3 = colour; images are converted")
    limit: int | None = Field(None, ge=2, description="use the first so many images of a fixed shuffle; null = all")
    skip_broken: bool = Field(
        False,
        description="imagefolder: leave out what is not a whole image and links to folders; false = refuse the folder",
    )


@dataclass(frozen=True)
class Remote:
    """A file on the network."""

    address: str
    sha256: str
    bytes: int

    @property
    def name(self) -> str:
        """Its name, here and there."""
        return self.address.rsplit("/", 1)[-1]


class DataSet(ABC):
    """One data set."""

    name: ClassVar[str]
    settings: ClassVar[type[DataSettings]]
    reads_root: ClassVar[bool] = True
    """False = `data.root` means nothing to it: it reads no files that anybody names."""
    remotes: ClassVar[Sequence[Remote]] = ()
    """What it downloads into its folder if it is not there; `prepare` fetches it beforehand."""

    def folder(self, settings: Any, downloads: Path) -> Path:
        """Where its files are: `data.root`, or else the folder of downloads."""
        return Path(settings.root).expanduser() if settings.root else downloads

    def missing(self, settings: Any, downloads: Path) -> int | None:
        """The number of images that would have to be downloaded; None if all is here, or nothing is downloaded."""
        return None

    @abstractmethod
    def load(self, settings: Any, downloads: Path) -> "RealImages":
        """All images, or the settings' fixed share of them, uint8 [N, settings.channels, settings.size, settings.size].

        Always in the same order. What is downloaded goes to `folder(settings, downloads)`. `gan.resize.fitted` does
        what the settings say to images that are in memory. DataError says what is missing or broken, and where.
        """


DATASETS: Registry[DataSet] = Registry(
    "data set",
    "colgan_search.datasets",
    DataSet,  # type: ignore[type-abstract]
    {
        "digits": "colgan_search.gan.datasets.digits:DIGITS",
        "cifar10": "colgan_search.gan.datasets.cifar10:CIFAR10",
        "imagefolder": "colgan_search.gan.datasets.imagefolder:IMAGEFOLDER",
    },
)
