"""Workers that are not told which GPU to take spread evenly; the dead ones' places are free again."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from colgan_search.config import RuntimeSettings
from colgan_search.errors import DeviceError
from colgan_search.file_names import WorkFolder
from colgan_search.launchers.gpus import WORKERS_PER_GPU, least_used, own_gpu
from colgan_search.launchers.planning import plan_devices

NAMES = ["GPU-a", "GPU-b", "GPU-c"]

HOLDER = """
import sys, time
from pathlib import Path
from colgan_search.file_names import WorkFolder
from colgan_search.launchers.planning import plan_devices
from colgan_search.launchers.gpus import least_used
with least_used(["GPU-a", "GPU-b", "GPU-c"], WorkFolder(Path(sys.argv[1]))) as index:
    print(index, flush=True)
    time.sleep(600)
"""


def test_each_next_worker_takes_a_gpu_with_the_fewest(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    with ExitStack() as held:
        taken = [held.enter_context(least_used(NAMES, work)) for _ in range(3 * WORKERS_PER_GPU)]
        assert taken == [0, 1, 2] * WORKERS_PER_GPU
        with pytest.raises(DeviceError, match="all 3 GPUs have 8 workers"), least_used(NAMES, work):
            pass
    with least_used(NAMES, work) as index:
        assert index == 0


@pytest.mark.slow
def test_the_place_of_a_killed_worker_is_free_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "0"
        with least_used(NAMES, WorkFolder(tmp_path)) as index:
            assert index == 1
    finally:
        process.kill()
        process.wait()
    with least_used(NAMES, WorkFolder(tmp_path)) as index:
        assert index == 0


@pytest.mark.parametrize(("device", "count"), [("cpu", 4), ("cuda:3", 4), ("cuda", 1)])
def test_no_choice_where_there_is_none(
    device: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with own_gpu(torch.device(device), WorkFolder(tmp_path)) as chosen:
        assert chosen == torch.device(device)
    assert list(tmp_path.iterdir()) == []


def test_cuda_without_a_number_becomes_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        def __init__(self, index: int) -> None:
            self.uuid = f"uuid-{index}"

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    work = WorkFolder(tmp_path)
    with own_gpu(torch.device("cuda"), work) as first, own_gpu(torch.device("cuda"), work) as second:
        assert (first, second) == (torch.device("cuda", 0), torch.device("cuda", 1))


def test_no_workers_ask_nothing_of_the_machine() -> None:
    assert plan_devices(RuntimeSettings(device="cuda"), 0, "cuda:7") == []
    with pytest.raises(DeviceError, match="`workers` -1"):
        plan_devices(RuntimeSettings(), -1, None)
