"""What stands in every result beside its figures: command, date, machine, versions."""

import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import psutil

from colgan_search import __version__


def surroundings(command: str, device: str | None, packages: Sequence[str]) -> dict[str, Any]:
    """`device` as PyTorch calls it, None for what needs none; DeviceError if it is not here."""
    return {
        "command": command,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": machine(device),
        "versions": {
            "colgan-search": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in packages},
        },
    }


def machine(device: str | None) -> dict[str, Any]:
    """Processor, usable cores, memory, how busy it is, and the GPU if one is used."""
    found = {
        "processor": processor(),
        "cpus": joblib.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "load_before": round(psutil.getloadavg()[0], 2),
    }
    return found if device is None else found | _device(device)


def _device(name: str) -> dict[str, Any]:
    import torch

    from colgan_search.config import RuntimeSettings
    from colgan_search.experiment import choose_device
    from colgan_search.experiment.device import device_name

    device = choose_device(RuntimeSettings(), name)
    found = {"device": device_name(device), "cpu_capability": torch.backends.cpu.get_cpu_capability()}
    if device.type == "cuda":
        found |= {"cuda": torch.version.cuda, "gpu_memory_gib": round(_memory(device) / 2**30)}
    return found


def _memory(device: Any) -> int:
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def processor() -> str:
    """The CPU's name where Linux tells it, else its kind."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
