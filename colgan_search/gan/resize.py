"""Bytes to bytes: channels, size and number of the real images, before any network sees them."""

import torch
from torch import Tensor
from torch.nn import functional as F

from colgan_search.errors import ConfigError
from colgan_search.extensions.datasets import DataSettings
from colgan_search.images import RealImages
from colgan_search.seeds import derive_seed

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey image (ITU-R 601-2, as in Pillow)."""


def fitted(name: str, images: Tensor, labels: Tensor, classes: tuple[str, ...], settings: DataSettings) -> RealImages:
    """uint8 [N, 1 or 3, H, W] and int64 [N] in memory as the settings want them: share, channels and size."""
    chosen = limited(len(images), settings.limit)
    return RealImages(
        name, resize(to_channels(images[chosen], settings.channels), settings.size), labels[chosen], classes
    )


def limited(count: int, limit: int | None) -> Tensor:
    """Which images a limit keeps: the first `limit` of a fixed shuffle of `count`; all in order without a limit.

    ConfigError if there are fewer than `limit`.
    """
    if limit is None:
        return torch.arange(count)
    if limit > count:
        raise ConfigError(
            f"data.limit: {limit} is not allowed: there are only {count} images; leave it out to take all"
        )
    return torch.randperm(count, generator=torch.Generator().manual_seed(derive_seed(0, "limit")))[:limit]


def to_channels(images: Tensor, channels: int) -> Tensor:
    """uint8 [N, 1 or 3, H, W] -> uint8 [N, channels, H, W]: grey is repeated, colour becomes its luma."""
    if images.shape[1] == channels:
        return images
    if channels == 3:
        return images.repeat(1, 3, 1, 1)
    luma = torch.tensor(LUMA).view(1, 3, 1, 1)
    return torch.cat(
        [(part.float() * luma).sum(1, keepdim=True).round().to(torch.uint8) for part in torch.split(images, 4096)]
    )


def resize(images: Tensor, size: int) -> Tensor:
    """uint8 [N, C, H, W] -> uint8 [N, C, size, size]: the short side to `size`, then the centre.

    Bilinear with antialiasing, as Pillow does it.
    """
    height, width = images.shape[-2:]
    short = min(height, width)
    height, width = max(size, round(height * size / short)), max(size, round(width * size / short))
    if (height, width) != images.shape[-2:]:
        images = F.interpolate(images, (height, width), mode="bilinear", antialias=True)
    top, left = (height - size) // 2, (width - size) // 2
    return images[:, :, top : top + size, left : left + size].contiguous()
