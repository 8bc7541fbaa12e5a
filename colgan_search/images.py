"""Real images in memory, and the one conversion between stored bytes and the pixels that networks see."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RealImages:
    """A data set, resized once: `images` uint8 [N, C, S, S] in 0..255, `labels` int64 [N], on the CPU."""

    name: str
    images: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    """None of them if the images have no classes; then all labels are 0."""
    left_out: int = 0
    """Images that could not be read and are not among these (data.skip_broken)."""

    @property
    def counted(self) -> str:
        """`400 images of 4 classes`, and how many were left out."""
        classes = f"of {len(self.classes)} classes" if len(self.classes) != 1 else "of 1 class"
        skipped = f", {self.left_out:,} that cannot be used left out" if self.left_out else ""
        return f"{len(self.images):,} images {classes if self.classes else 'without classes'}{skipped}"

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over shape, pixels and labels."""
        sha = hashlib.sha256(str(tuple(self.images.shape)).encode())
        sha.update(self.images.contiguous().numpy().data)
        sha.update(self.labels.contiguous().numpy().data)
        return sha.hexdigest()[:16]


def to_pixels(images: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1], the range of the generators' tanh."""
    return images.float() / 127.5 - 1.0


def to_bytes(pixels: Tensor) -> Tensor:
    """Float in [-1, 1] -> uint8 0..255, rounded to the nearest; the inverse of `to_pixels`."""
    return ((pixels.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def all_finite(values: Tensor) -> bool:
    """True if none of the numbers is NaN or infinite."""
    # Their sum is not finite then, and is a quarter of the work; one that only overflows needs the other look.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())
