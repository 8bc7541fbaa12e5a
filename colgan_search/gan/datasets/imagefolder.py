"""`imagefolder`: the user's own images, one folder per class or images alone (see `gan.imagefolder`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import model_validator

from colgan_search.extensions.datasets import DataSet, DataSettings

if TYPE_CHECKING:
    from colgan_search.images import RealImages


class ImageFolderSettings(DataSettings):
    """A folder must be named."""

    name: Literal["imagefolder"] = "imagefolder"

    @model_validator(mode="after")
    def _needs_root(self) -> "ImageFolderSettings":
        if self.root is None:
            raise ValueError("imagefolder needs root: the folder that holds one folder per class, or the images")
        return self


class ImageFolder(DataSet):
    """Nothing is downloaded."""

    name = "imagefolder"
    settings = ImageFolderSettings

    def load(self, settings: ImageFolderSettings, downloads: Path) -> "RealImages":
        """See `load_folder`."""
        from colgan_search.gan.imagefolder import load_folder

        root = self.folder(settings, downloads)
        return load_folder(root, settings.size, settings.channels, settings.limit, skip_broken=settings.skip_broken)


IMAGEFOLDER = ImageFolder()
