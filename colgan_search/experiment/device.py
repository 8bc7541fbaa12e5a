"""Which device a training runs on, and a clear word when it is not here."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from colgan_search.config import RuntimeSettings
from colgan_search.errors import DeviceError

DEVICES = "the devices are auto, cpu, cuda and cuda:N"


def choose_device(runtime: RuntimeSettings, wanted: str | None = None) -> torch.device:
    """The device of `wanted` (auto, cpu, cuda or cuda:N), or else of the settings. DeviceError if it is not here."""
    name = wanted or runtime.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}; {DEVICES}") from None
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r} is not supported; {DEVICES}")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"device {name!r} is asked for, but PyTorch finds no GPU on this machine. To go on: run this on a machine "
            "with a GPU, try the small study that needs none (`config` digits), or force the CPU (`device` cpu), "
            "which takes days per trial at the paper's size"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} is not here; this machine has cuda:0..{torch.cuda.device_count() - 1}")
    return device


def device_name(device: torch.device) -> str:
    """`cpu`, or the GPU's model."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Inside, convolutions on a GPU may round to TensorFloat-32, or may not; other products never do.

    Whatever PyTorch's version, its environment or another package has chosen. Without effect on a CPU.
    """
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = allowed, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
