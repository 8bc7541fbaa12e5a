"""A data set: `rings`, circles of eight sizes that are drawn, not downloaded."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from colgan_search.extensions.datasets import DataSet, DataSettings

CLASSES = 8


class RingsSettings(DataSettings):
    """How many."""

    name: Literal["rings"] = "rings"
    count: int = Field(1000, ge=CLASSES, description="images, as many of each size as of another")


class Rings(DataSet):
    """Grey images of one ring each, the class is its radius."""

    name = "rings"
    settings = RingsSettings
    reads_root = False

    def load(self, settings: RingsSettings, downloads: Path) -> Any:
        """See `DataSet.load`."""
        import torch

        from colgan_search.gan.resize import fitted

        random = torch.Generator().manual_seed(0)
        labels = torch.arange(settings.count) % CLASSES
        centre = 16 + torch.randn(2, settings.count, generator=random)
        rows, columns = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
        distance = ((rows - centre[0, :, None, None]).square() + (columns - centre[1, :, None, None]).square()).sqrt()
        on = (distance - (3 + 1.3 * labels[:, None, None])).abs() < 1.2
        images = (255 * on).to(torch.uint8)[:, None]
        return fitted(self.name, images, labels, tuple(f"radius {n}" for n in range(CLASSES)), settings)


RINGS = Rings()
