"""Generators as safetensors: weights to use, which need no unpickling."""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from colgan_search.config import NetworkSettings
from colgan_search.errors import DataError
from colgan_search.files import atomic_path, require_space
from colgan_search.gan.networks import build_generator


def save_generators(path: Path, generators: Sequence[nn.Module]) -> None:
    """Writes the weights of G1..Gk to one file, keys `G1.<parameter>`, whole or not at all."""
    tensors = {
        f"G{number}.{name}": tensor.detach().cpu().contiguous()
        for number, generator in enumerate(generators, start=1)
        for name, tensor in generator.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path.parent, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_generators(
    path: Path, network: NetworkSettings, k: int, *, size: int, channels: int, device: torch.device
) -> list[nn.Module]:
    """G1..Gk in eval mode. DataError if the file is unreadable or is not of such networks."""
    try:
        tensors = load_file(path)
        generators: list[nn.Module] = []
        for number in range(1, k + 1):
            generator = build_generator(network, size=size, channels=channels, seed=0)
            prefix = f"G{number}."
            own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
            generator.load_state_dict(own)
            generators.append(generator.to(device).eval())
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: not the weights of {k} generators of this study: {reason}") from error
    return generators
