"""How far two ways of computing the same are apart."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn


def loss_difference(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    """The largest of a loss, as a share of it; infinite if there is NaN, or another loss."""
    if ours.keys() != theirs.keys():
        return math.inf
    return _largest([(ours[name] - theirs[name]).abs() / theirs[name].abs().clamp_min(1e-6) for name in theirs])


def vector_difference(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest of two vectors, as a share of the second one's length."""
    return _largest([(a - b).norm() / b.norm().clamp_min(1e-12) for a, b in zip(ours, theirs, strict=True)])


def gradient(network: nn.Module) -> Tensor:
    """All of it, as one vector; zeros where there is none."""
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in network.parameters()])


def _largest(shares: list[Tensor]) -> float:
    return float(torch.stack(shares).nan_to_num(nan=math.inf, posinf=math.inf).max()) if shares else 0.0
