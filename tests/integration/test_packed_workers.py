"""The processes of a launch that share a GPU: further ones follow a report, and leave where its memory runs out."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from colgan_search.errors import GpuFull
from colgan_search.launchers import local, packing
from colgan_search.launchers.local import LocalWorkers
from tests.fleet import make_study
from tests.unit.test_packing import report

WAIT_SECONDS = 240.0

CHILD = """
import sys, time
from pathlib import Path
work, number, how = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
(work / f"started-{number}-{how}").touch()
end = work / f"end-{number}-{how}"
while not end.exists():
    time.sleep(0.02)
sys.exit(int(end.read_text()))
"""


class Scripted(LocalWorkers):
    """Workers that end when they are told to, with the exit code that they are told."""

    def _command(self, number: int, device: str, shares_gpu: bool) -> list[str]:
        how = "shared" if shares_gpu else "alone"
        return [sys.executable, "-c", CHILD, str(self.work_dir), str(number), how]

    def end(self, name: str, code: int) -> None:
        part = self.work_dir / f"part-{name}"
        part.write_text(str(code), encoding="utf-8")
        part.rename(self.work_dir / f"end-{name}")

    def started(self) -> set[str]:
        return {path.name.removeprefix("started-") for path in self.work_dir.glob("started-*")}

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not what():
            assert time.monotonic() < deadline
            self.poll()
            time.sleep(0.02)


@pytest.fixture
def launched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scripted]]:
    monkeypatch.setattr(local.joblib, "cpu_count", lambda: 16)
    study = make_study(f"sqlite:///{tmp_path}/study.db", 9)
    made: list[Scripted] = []

    def launch(*devices: str) -> Scripted:
        made.append(Scripted(study, tmp_path, devices))
        return made[-1]

    yield launch
    for workers in made:
        workers.kill()
    study.storage.close()


def leave_report(work: Path, pid: int) -> None:
    path = packing.report_file(work, pid)
    path.parent.mkdir(exist_ok=True)
    path.write_text(report().model_dump_json(), encoding="utf-8")


def test_as_many_as_fit_follow_the_first_ones_report(launched: Callable[..., Scripted], tmp_path: Path) -> None:
    workers = launched("cuda:0" + packing.AS_MANY_AS_FIT)
    workers.until(lambda: workers.started() == {"0-shared"})
    assert workers.poll() == 1
    leave_report(tmp_path, workers._children[0].process.pid)
    workers.until(lambda: len(workers.started()) == 5)
    assert workers.poll() == 5
    # One too many: it is not replaced, and nobody has failed.
    workers.end("3-shared", GpuFull.exit_code)
    workers.until(lambda: workers.running == 4)
    for _ in range(3):
        assert workers.poll() == 4
    assert workers.failed == [] and len(workers.started()) == 5


def test_the_last_one_on_a_full_gpu_begins_again_alone(
    launched: Callable[..., Scripted], caplog: pytest.LogCaptureFixture
) -> None:
    workers = launched("cuda:0", "cuda:0")
    workers.until(lambda: workers.started() == {"0-shared", "1-shared"})
    workers.end("0-shared", GpuFull.exit_code)
    workers.until(lambda: workers.running == 1)
    workers.poll()
    assert "cuda:0 ran out of memory: 1 workers go on there, worker 0 is not started again" in caplog.text
    workers.end("1-shared", GpuFull.exit_code)
    workers.until(lambda: "1-alone" in workers.started())
    assert "worker 1 begins again, alone" in caplog.text
    workers.end("1-alone", 0)
    workers.until(lambda: workers.running == 0)
    assert workers.failed == []


def test_one_worker_per_gpu_shares_nothing(launched: Callable[..., Scripted]) -> None:
    workers = launched("cuda:0", "cuda:1", "cpu", "cpu")
    workers.until(lambda: len(workers.started()) == 4)
    assert workers.started() == {"0-alone", "1-alone", "2-alone", "3-alone"}
