"""Images drawn from trained generators, and the ways to put them into files."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.utils import make_grid

from colgan_search.errors import BadInput, DataError
from colgan_search.files import atomic_path
from colgan_search.images import to_bytes
from colgan_search.seeds import derive_seed

BATCH = 64
"""Latent vectors per pass: always whole batches, so that image i depends on the seed and on i, not on the count."""

FILE_FORMS = (".png", ".npz")
"""Endings of single files; a folder has none."""

FORMATS = "a grid in one .png, arrays in an .npz, or a folder (a name without an ending) of single PNG files"


def sample_images(generator: nn.Module, z_size: int, count: int, seed: int) -> Tensor:
    """The first `count` images of `seed`: uint8 [count, C, S, S] on the CPU, from a generator in eval mode.

    All generators get the same z for the same seed (as in Figure 5). DataError if an image is not finite.
    """
    device = next(generator.parameters()).device
    random = torch.Generator().manual_seed(derive_seed(seed, "sample"))
    parts = []
    with torch.no_grad():
        for _ in range(0, count, BATCH):
            pixels = generator(torch.randn(BATCH, z_size, generator=random).to(device))
            if not pixels.isfinite().all():
                raise DataError("the generator's weights make images that are not finite")
            parts.append(to_bytes(pixels).cpu())
    return torch.cat(parts)[:count]


def write_samples(path: Path, samples: Mapping[str, Tensor]) -> list[Path]:
    """Writes uint8 [N, C, S, S] per generator name in the form that `path` asks for (see FORMATS); the files made.

    BadInput for another form, or a folder that is not empty.
    """
    form = path.suffix.lower()
    if form == ".png":
        write_grid(path, samples)
        return [path]
    if form == ".npz":
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {name: images.numpy() for name, images in samples.items()}
            np.savez(file, **arrays)
        return [path]
    if path.suffix and not path.is_dir():
        raise BadInput(f"`out` {path}: unknown form {path.suffix!r}; give {FORMATS}")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(f"`out` {path}: is there already and is not an empty folder; choose another name")
    files = []
    for name, images in samples.items():
        for index, image in enumerate(images):
            files.append(path / f"{name}-{index:05d}.png")
            _write_png(files[-1], image)
    return files


def write_grid(path: Path, samples: Mapping[str, Tensor], columns: int | None = None) -> None:
    """All generators' images in one PNG, one block below the other; about as wide as high unless `columns` is given."""
    images = torch.cat(list(samples.values()))
    count = len(next(iter(samples.values())))
    # A row never holds images of two generators.
    row = min(count, columns or math.ceil(math.sqrt(count)))
    blocks = [make_grid(block, nrow=row, padding=2) for block in torch.split(images, count)]
    _write_png(path, torch.cat(blocks, dim=1))


def _write_png(path: Path, image: Tensor) -> None:
    """uint8 [1 or 3, H, W] as a PNG, whole or not at all."""
    pixels = image[0].numpy() if image.shape[0] == 1 else image.permute(1, 2, 0).contiguous().numpy()
    with atomic_path(path) as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
