"""Which devices the workers of this machine take."""

import joblib
import torch

from colgan_search.config import RuntimeSettings
from colgan_search.errors import DeviceError
from colgan_search.experiment import choose_device
from colgan_search.launchers import packing

CPU_WORKERS_PER_CORE = 4
GPU_WORKERS_PER_DEVICE = 8


def plan_devices(
    runtime: RuntimeSettings, workers: int | None, device: str | None, workers_per_gpu: int | str | None = None
) -> list[str]:
    """One device name per worker: one worker per GPU, or one per usable core where there is none.

    `workers` says how many instead, `device` (cpu, cuda, cuda:N) where, `workers_per_gpu` how many on each GPU; with
    `auto` there is one name per GPU, which ends with `packing.AS_MANY_AS_FIT`. DeviceError if that makes no sense here.
    With 0 workers nothing is asked of this machine.
    """
    if workers == 0:
        return []
    if workers is not None and workers < 0:
        raise DeviceError(f"`workers` {workers} is not allowed: 0 starts none here, 1 or more are processes")
    number = None if workers_per_gpu is None else packing.per_gpu(workers_per_gpu)
    if workers_per_gpu is not None and workers is not None:
        raise DeviceError("give `workers`, for all GPUs together, or `workers_per_gpu`, not both")
    chosen = choose_device(runtime, device)
    if chosen.type == "cpu":
        if workers_per_gpu is not None:
            raise DeviceError("`workers_per_gpu` is for GPUs, and the workers would run on the CPU: give `workers`")
        usable = joblib.cpu_count()
        limit = CPU_WORKERS_PER_CORE * usable
        names = ["cpu"]
        default = max(1, usable // runtime.threads)
        what = f"{usable} usable cores"
    else:
        names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if chosen.index is None else [str(chosen)]
        limit = GPU_WORKERS_PER_DEVICE * len(names)
        default = len(names)
        what = f"{len(names)} GPUs"
        if workers_per_gpu is not None:
            return [name + packing.AS_MANY_AS_FIT for name in names] if number is None else names * number
    if workers is not None and workers > limit:
        raise DeviceError(f"`workers` {workers} is not sensible with {what}: at most {limit}, {default} is best")
    return [names[i % len(names)] for i in range(workers or default)]
