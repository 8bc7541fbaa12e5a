"""What a worker on a GPU does before its first trial, with fakes of the GPU and of the training."""

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search.api import working
from colgan_search.api.working import WorkRequest, work
from colgan_search.errors import ColganError, GpuFull, OutOfMemory
from colgan_search.launchers.packing import MemoryReport, read_report
from colgan_search.search.budget.workers import Registry
from tests.fake_worker import FakeExperiment
from tests.fleet import make_study

REPORT = MemoryReport(peak=3 * 2**30, held=2**30, free=60 * 2**30, total=80 * 2**30)


class Checked(FakeExperiment):
    """A training whose fast path is refused, or not."""

    def __init__(self, problem: str | None) -> None:
        super().__init__(0.0)
        self.problem = problem
        self.off = problem and "fast path off"

    def check_fast_path(self) -> str | None:
        return self.problem


class FakeGpu:
    def __init__(self, device: str) -> None:
        assert device == "cuda:0"

    def memory(self) -> MemoryReport:
        return REPORT


@pytest.fixture
def a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "choose_device", lambda runtime, wanted: torch.device("cuda", 0))
    monkeypatch.setattr(working, "CudaGpu", FakeGpu)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)


@pytest.fixture
def request_here(tmp_path: Path) -> dict[str, Any]:
    url = f"sqlite:///{tmp_path}/study.db"
    make_study(url, 2).storage.close()
    return {"study": "fake", "storage": url, "work_dir": tmp_path / "work"}


@pytest.mark.usefixtures("a_gpu")
@pytest.mark.parametrize(("problem", "device"), [(None, "cuda:0"), ("it differs", "cuda:0, fast path off")])
def test_a_refused_fast_path_stands_in_the_workers_row_and_its_memory_is_reported(
    problem: str | None,
    device: str,
    request_here: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(working, "study_experiment", lambda *_: Checked(problem))
    assert work(WorkRequest(**request_here), threading.Event()).accepted == 2
    study = make_study(request_here["storage"], 2)
    (row,) = Registry(study.storage, study.uid).all()
    study.storage.close()
    assert row.device == device  # what `status` shows
    assert read_report(request_here["work_dir"], row.process.pid) == REPORT


@pytest.mark.usefixtures("a_gpu")
@pytest.mark.parametrize(("shares", "kind"), [(True, GpuFull), (False, OutOfMemory)])
def test_a_gpu_too_full_to_begin(
    shares: bool, kind: type[ColganError], request_here: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(working, "study_experiment", full)
    with pytest.raises(kind, match="cuda:0 has too little free memory to begin: CUDA out of memory"):
        work(WorkRequest(**request_here, shares_gpu=shares), threading.Event())
