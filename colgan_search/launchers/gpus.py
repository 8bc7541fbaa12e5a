"""Workers that nobody has told which GPU to take spread over the GPUs of their machine, containers included."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from filelock import FileLock, Timeout

from colgan_search.errors import DeviceError
from colgan_search.file_names import WorkFolder
from colgan_search.files import make_private

WORKERS_PER_GPU = 8


@contextmanager
def own_gpu(device: torch.device, work: WorkFolder) -> Iterator[torch.device]:
    """The device itself, or, if it is `cuda` without a number and there are several, one of those least used."""
    if device.type != "cuda" or device.index is not None or torch.cuda.device_count() < 2:
        yield device
        return
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]
    with least_used(names, work) as index:
        yield torch.device("cuda", index)


@contextmanager
def least_used(names: Sequence[str], work: WorkFolder) -> Iterator[int]:
    """The index of one of the GPUs `names` that fewest workers of this work folder hold, held inside the block.

    Held by a file lock, which the operating system frees when its holder dies. DeviceError if all are full.
    """
    folder = work.gpus
    make_private(folder)
    for place in range(WORKERS_PER_GPU):
        for index, name in enumerate(names):
            lock = FileLock(folder / f"{name}-{place}.lock")
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            try:
                yield index
            finally:
                lock.release()
            return
    raise DeviceError(f"all {len(names)} GPUs have {WORKERS_PER_GPU} workers; name one with `device` cuda:N")
