"""Generators as safetensors: weights to use, which need no unpickling."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from colgan_search.config import NetworkSettings
from colgan_search.errors import DataError, GraphError, first_line
from colgan_search.files import atomic_path, require_space
from colgan_search.gan.building import build_generator
from colgan_search.graph import KnowledgeTransferGraph

GRAPH_KEY = "graph"
"""In the file's own metadata: the text form of the graph that was trained."""


def save_generators(path: Path, generators: Sequence[nn.Module], graph: KnowledgeTransferGraph) -> None:
    """Writes the weights of G1..Gk and their graph to one file, keys `G1.<parameter>`, whole or not at all."""
    tensors = {
        f"G{number}.{name}": tensor.detach().cpu().contiguous()
        for number, generator in enumerate(generators, start=1)
        for name, tensor in generator.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    require_space(path.parent, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={GRAPH_KEY: graph.to_text()})


def recorded_graph(path: Path) -> KnowledgeTransferGraph:
    """The graph that the weights in `path` were trained as. DataError if they do not say, or cannot be read."""
    try:
        with safe_open(path, "np") as tensors:
            return KnowledgeTransferGraph.from_text((tensors.metadata() or {})[GRAPH_KEY])
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}") from error
    except KeyError:
        raise DataError(f"{path}: does not say of which graph these generators are; it was not made here") from None
    except GraphError as error:
        raise DataError(f"{path}: the graph in its metadata is none: {error}") from error


def load_generators(
    path: Path, network: NetworkSettings, k: int, *, size: int, channels: int, device: torch.device
) -> list[nn.Module]:
    """G1..Gk in eval mode. DataError if the file is unreadable or is not of such networks."""
    weights: list[dict[str, Tensor]] = [{} for _ in range(k)]
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise _refusal(path, k, error) from error
    for number, own in enumerate(weights, start=1):
        prefix = f"G{number}."
        own |= {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    return generators_of(weights, path, network, size=size, channels=channels, device=device)


def generators_of(
    weights: Sequence[Mapping[str, Tensor]],
    path: Path,
    network: NetworkSettings,
    *,
    size: int,
    channels: int,
    device: torch.device,
) -> list[nn.Module]:
    """Generators in eval mode from their state dicts, read from `path`. DataError if they are of other networks."""
    generators: list[nn.Module] = []
    try:
        for own in weights:
            generator = build_generator(network, size=size, channels=channels, seed=0)
            generator.load_state_dict(own)
            generators.append(generator.to(device).eval())
    except (RuntimeError, TypeError, AttributeError) as error:
        raise _refusal(path, len(weights), error) from error
    return generators


def _refusal(path: Path, k: int, error: Exception) -> DataError:
    reason = " ".join(str(error).split())  # PyTorch says on the first line that, and on the others what
    reason = reason if len(reason) <= 300 else reason[:297] + "..."
    return DataError(f"{path}: not the weights of {k} generators of this study: {reason}")
