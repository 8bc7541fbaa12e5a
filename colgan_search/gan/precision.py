"""In which precision the networks of a training compute; losses, spectral norm's sigma and Adam are in float32."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

HALF: Mapping[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}
"""`training.precision` -> what convolutions and products are computed in, if not in their weights' own precision."""


def computing(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Around what a network computes: PyTorch's autocast, or nothing."""
    half = HALF[precision]
    return nullcontext() if half is None else torch.autocast(device.type, half)


def whole(tensor: Tensor) -> Tensor:
    """In float32 if it is in half precision, else as it is."""
    return tensor.float() if tensor.dtype in HALF.values() else tensor
