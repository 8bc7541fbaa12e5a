"""How many workers a GPU takes, with fakes of the door to its memory."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search.config import RuntimeSettings
from colgan_search.errors import DeviceError
from colgan_search.launchers import packing
from colgan_search.launchers.packing import MemoryReport, Packing, fitting, measured, read_report, recorder, report_file
from colgan_search.launchers.planning import plan_devices
from colgan_search.records import Progress
from tests.fake_worker import fake_scores

MIB = 2**20


def report(peak: int = 1000, free: int = 8400, total: int = 10_000, held: int | None = None) -> MemoryReport:
    """In MiB. By itself: one worker that holds 1,000, and the 600 of its context, on a GPU of 10,000."""
    return MemoryReport(
        peak=peak * MIB, held=(peak if held is None else held) * MIB, free=free * MIB, total=total * MIB
    )


class FakeGpu:
    """A GPU whose next answers are given."""

    def __init__(self, *answers: MemoryReport) -> None:
        self.answers = list(answers)

    def memory(self) -> MemoryReport:
        return self.answers.pop(0)


def leave_report(work: Path, pid: int, what: MemoryReport) -> None:
    report_file(work, pid).parent.mkdir(exist_ok=True)
    report_file(work, pid).write_text(what.model_dump_json(), encoding="utf-8")


def test_workers_fit_by_their_measured_peak() -> None:
    # 95 % of 10,000 by 1.1 x 1,000 + 600
    assert fitting(report()) == 5
    # 3,000 of another program: 6,500 are left
    assert fitting(report(free=5400)) == 3
    # what the worker had at its peak and has given back is no other program's
    assert fitting(report(held=400, free=9000)) == 5
    # one always fits: it has just run
    assert fitting(report(peak=9000, free=400)) == 1


def test_a_worker_reports_each_new_peak(tmp_path: Path) -> None:
    look = recorder(FakeGpu(report(500), report(500, free=1), report(900)), tmp_path)
    assert read_report(tmp_path, os.getpid()) is None
    for expected in (500, 500, 900):
        look()
        found = read_report(tmp_path, os.getpid())
        assert found is not None and found.peak == expected * MIB
    assert found == report(900)


@pytest.mark.parametrize("text", ["", "{}", '{"peak": -1, "held": 0, "free": 0, "total": 0}', '{"peak": "1"}'])
def test_what_is_no_report_is_none(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave_report(tmp_path, 7, report())
    report_file(tmp_path, 7).write_text(text, encoding="utf-8")
    assert read_report(tmp_path, 7) is None
    assert "memory-7.json: no report" in caplog.text


def test_the_memory_is_looked_at_after_scores_and_at_the_end(tmp_path: Path) -> None:
    seen: list[str] = []

    def experiment(graph: Any, seed: int, folder: Path, on_progress: Any, should_stop: Any) -> Any:
        on_progress(Progress(epoch=0, epochs=2, iteration=0, iterations=2))
        seen.append("nothing scored")
        scores = fake_scores(2.0, 1)
        on_progress(Progress(epoch=1, epochs=2, iteration=1, iterations=2, scores=scores, evaluation=1))
        return "the outcome"

    told: list[Progress] = []
    run: Any = measured(experiment, lambda: seen.append("look"))
    assert run("a graph", 1, tmp_path, told.append, lambda: False) == "the outcome"
    assert seen == ["nothing scored", "look", "look"] and len(told) == 2


def test_a_gpu_takes_as_many_as_fit_once_one_has_reported(tmp_path: Path) -> None:
    pack = Packing(tmp_path, ["cuda:0"], most=8)
    assert pack.room("cuda:0", [71]) == 0, "nobody has reported"
    leave_report(tmp_path, 71, report())
    assert pack.room("cuda:0", []) == 0, "nobody works there any more"
    assert pack.room("cuda:0", [71]) == 4
    assert pack.room("cuda:0", [71, 72, 73]) == 2
    assert pack.room("cuda:1", [71]) == 0, "this one has its plan"
    pack.lower("cuda:0", 3)
    assert [pack.room("cuda:0", pids) for pids in ([71, 72, 73], [71, 72])] == [0, 1]


def test_never_more_than_the_most(tmp_path: Path) -> None:
    leave_report(tmp_path, 71, report(peak=10))
    pack = Packing(tmp_path, ["cuda:0"], most=3)
    leave_report(tmp_path, 71, report(peak=10))
    assert pack.room("cuda:0", [71]) == 2
    assert packing.most_by_itself(gpus=1, cores=2) == 2
    assert packing.most_by_itself(gpus=8, cores=256) == 8
    assert packing.most_by_itself(gpus=4, cores=2) == 1


def test_reports_of_processes_that_are_gone_are_forgotten(tmp_path: Path) -> None:
    gone = 2**22 + 1  # beyond Linux's largest process number
    leave_report(tmp_path, gone, report())
    leave_report(tmp_path, os.getpid(), report())
    Packing(tmp_path, [], most=8)
    assert read_report(tmp_path, gone) is None and read_report(tmp_path, os.getpid()) == report()


def test_mps_is_known_by_its_daemon() -> None:
    assert packing.mps_runs(lambda: ["bash", "nvidia-cuda-mps-control"])
    assert packing.mps_runs(lambda: ["nvidia-cuda-mps"])  # Linux cuts at 15 characters
    assert not packing.mps_runs(lambda: ["bash", "nvidia-smi"])


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_gpus")
def test_plans_of_several_workers_per_gpu() -> None:
    runtime = RuntimeSettings()
    assert plan_devices(runtime, None, None, 2) == ["cuda:0", "cuda:1"] * 2
    assert plan_devices(runtime, None, "cuda:1", "3") == ["cuda:1"] * 3
    assert plan_devices(runtime, None, None, "auto") == ["cuda:0 (as many as fit)", "cuda:1 (as many as fit)"]
    assert plan_devices(runtime, 0, None, "auto") == []
    with pytest.raises(DeviceError, match="not both"):
        plan_devices(runtime, 4, None, 2)
    with pytest.raises(DeviceError, match="is for GPUs"):
        plan_devices(runtime, None, "cpu", "auto")


@pytest.mark.parametrize("wrong", ["0", 0, -1, "49", "many", "", "1.5", "²"])
def test_a_wrong_number_per_gpu_says_what_is_right(wrong: str | int) -> None:
    with pytest.raises(DeviceError, match=r"`workers_per_gpu` .* it is auto, or a number from 1 to 48"):
        plan_devices(RuntimeSettings(), None, None, wrong)
