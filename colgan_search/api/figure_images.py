"""The images of figures 5 and 6: trained generators on the CPU, and which z goes through each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from colgan_search.api.figure_rivals import Weights
from colgan_search.bundles.sampling import sample_images
from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig
from colgan_search.errors import BadInput, DataError, first_line
from colgan_search.seeds import derive_seed

Images = NDArray[np.uint8]
"""[n, H, W, C]"""


@dataclass(frozen=True)
class Network:
    """A generator in eval mode on the CPU, and the size of its z."""

    module: torch.nn.Module
    z_size: int


@dataclass(frozen=True)
class LatentChoice:
    """Which z the generators of figure 6 get."""

    seed: Callable[[int], int]
    """Number of the generator, 1..k, -> seed of its z."""
    note: str
    """For the figure's note; `{n}` = how many."""


LATENTS = {
    "shared": LatentChoice(lambda number: 0, "the same {n} z through every generator, as in the paper"),
    # With shared z, generators that have learnt from each other put their points on each other, whatever they make.
    "own": LatentChoice(lambda number: derive_seed(0, "tsne", number), "{n} z of its own through every generator"),
}
"""Name -> choice. Shared: the first of them are figure 5's."""


def latents(name: str) -> LatentChoice:
    """The choice of a name. BadInput, which lists the names, for another."""
    if name not in LATENTS:
        raise BadInput(f"--tsne-z {name} is not allowed; it is {' or '.join(LATENTS)}")
    return LATENTS[name]


def networks(weights: Weights, config: StudyConfig, k: int) -> list[Network]:
    """G1..Gk. DataError if the file is unreadable, or is of other networks or another k."""
    try:
        with safe_open(weights.file, "np") as tensors:
            found = len({name.partition(".")[0] for name in tensors.keys()})  # noqa: SIM118 - it is no mapping
    except (OSError, SafetensorError) as error:
        raise DataError(f"{weights.file}: cannot be read: {first_line(error)}") from error
    if found != k:
        raise DataError(f"{weights.file}: holds k = {found} generators, but k = {k} are to be drawn")
    size, channels, cpu = config.data.size, config.data.channels, torch.device("cpu")
    modules = load_generators(weights.file, config.network, k, size=size, channels=channels, device=cpu)
    return [Network(module, config.network.z) for module in modules]


def images(network: Network, n: int, seed: int = 0) -> Images:
    """uint8 [n, H, W, C]: the images of `seed`, the same z for every generator."""
    return np.ascontiguousarray(sample_images(network.module, network.z_size, n, seed).permute(0, 2, 3, 1).numpy())


def cloud(own: Sequence[Network], n: int, choice: LatentChoice) -> list[Images]:
    """n images of every generator of one system, for figure 6."""
    return [images(network, n, choice.seed(number)) for number, network in enumerate(own, start=1)]
