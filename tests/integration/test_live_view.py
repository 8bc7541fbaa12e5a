"""What `launch` shows on terminals of two sizes: at the start, in the middle, at the end, in an outage."""

import dataclasses
import io
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from rich.console import Console

from colgan_search.cli.live_view import LiveView
from colgan_search.launchers.gpu_use import GpuUse
from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.database.tables import workers
from colgan_search.search.study.opening import OpenStudy
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import fill
from tests.integration.test_results import finish
from tests.unit.test_pace import Clock

CONFIG = fake_config(service={"lease_seconds": 600.0})


@pytest.fixture
def study(prepared_file: Path, tmp_path: Path) -> Iterator[OpenStudy]:
    file = tmp_path / "study.db"
    file.write_bytes(prepared_file.read_bytes())
    made = make_study(f"sqlite:///{file}", 3, CONFIG)
    yield made
    made.storage.close()


class View:
    """A live view whose pictures are text; the clock is the test's."""

    def __init__(self, study: OpenStudy, width: int, height: int) -> None:
        self.clock = Clock()
        self.console = Console(width=width, height=height, file=io.StringIO(), _environ={})
        self.view = LiveView(study, Monitor(study, self.clock), 2, self.console, self.clock)

    def __call__(self, draining: bool = False) -> str:
        with self.console.capture() as shown:
            self.console.print(self.view.render(draining))
        return shown.get()


@pytest.fixture(params=[(80, 24), (200, 50)], ids=["80x24", "200x50"])
def view(study: OpenStudy, request: pytest.FixtureRequest) -> View:
    return View(study, *request.param)


def enter(study: OpenStudy, pid: int) -> str:
    process = dataclasses.replace(ProcessId.mine(), pid=pid)
    Registry(study.storage, study.uid).enter(process, "cpu")
    return process.name


def test_before_the_first_worker_it_says_what_goes_on(view: View) -> None:
    view.clock.now += 7.0
    shown = view()
    assert "0/3 trials, time left is known after the first epochs" in shown
    assert re.search(r"starting 2 workers \(7 s\): PyTorch, the real images,", " ".join(shown.split()))
    assert "?" not in shown and "worker  " not in shown


def test_the_first_epochs_tell_the_time_left(study: OpenStudy, view: View) -> None:
    worker, registry = enter(study, 1), Registry(study.storage, study.uid)
    registry.update(worker, "training", 0)
    view()
    for epoch in (0, 1, 2):
        registry.update(worker, "training", 0, epoch, 60)
        shown = view()
        view.clock.now += 10.0
    # 10 s an epoch, 60 epochs a trial, three trials less two epochs.
    assert "0/3 trials, about 29 min 40 s left" in shown
    assert re.search(r":1 +cpu +training +0 +2/60 +9 min 40 s", shown)
    assert ("heard of" in shown) == (view.console.width == 200)


def test_after_the_last_epoch_images_are_scored(study: OpenStudy, view: View) -> None:
    fill(study, 2)
    worker, registry = enter(study, 1), Registry(study.storage, study.uid)
    for epoch in (0, 30, 60):
        registry.update(worker, "training", 2, epoch, 60)
        shown = view()
        view.clock.now += 10.0
    assert "2/3 trials, scoring the last images" in shown
    assert re.search(r":1 +cpu +training +2 +60/60 +scoring", shown)


def test_without_colour_the_bar_shows_what_is_left(study: OpenStudy, view: View) -> None:
    fill(study, 1)
    bar = next(word for word in view().split() if set(word) <= set("━┄"))
    assert (bar.count("━"), bar.index("┄")) == (len(bar) // 3, len(bar) // 3) and len(bar) >= 10


def test_the_last_trouble_and_how_much_luck_is_in_a_run(study: OpenStudy, view: View, tmp_path: Path) -> None:
    claim = study.slots.claim("gpu7:12:00000001", 600.0)
    assert claim is not None and study.slots.release(claim, "TrialFault: out of memory\n\x1b[31mred")
    enter(study, 1)
    shown = view()
    assert "last trouble" in shown and "before a trial, gpu7:12: TrialFault: out of memory\\n" in shown
    assert "\x1b" not in shown and len([line for line in shown.splitlines() if "last trouble" in line]) == 1
    assert "lie" not in shown  # nothing has run twice


def test_the_spread_of_runs_of_one_graph_is_beside_the_luckiest(prepared_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "again.db"
    file.write_bytes(prepared_file.read_bytes())
    repeated = fake_config("again", k=1, search={"sampler": "repeat", "first": ["dcgan"]})
    again = make_study(f"sqlite:///{file}", 3, repeated)
    fill(again, 3)
    values = [trial.value or 0.0 for trial in again.load().trials]
    shown = " ".join(View(again, 200, 50)().split())
    sd = statistics.stdev(values)
    assert f"its graph: {statistics.fmean(values):.3f} +- {sd / 3**0.5:.3f}, mean of 3 runs" in shown
    assert f"runs of one graph lie {sd:.2f} apart" in shown
    again.storage.close()


def test_a_worker_that_says_nothing_for_a_lease_is_silent(study: OpenStudy, view: View) -> None:
    registry = Registry(study.storage, study.uid)
    registry.update(enter(study, 1), "training", 0, 5, 60)
    lease = study.config.service.lease_seconds
    with study.storage.transaction() as db:
        db.execute(workers.update().values(seen=workers.c.seen - 1.5 * lease))
    assert re.search(r":1 +cpu +silent +0 +5/60", view())


@pytest.mark.parametrize("width", [80, 200])
def test_this_machines_gpus_are_shown(study: OpenStudy, width: int) -> None:
    view = View(study, width, 24)
    view.view._gpus = lambda: [GpuUse(0, 87.0, 12.25, 80.0), GpuUse(1, None, None, None)]
    enter(study, 1)
    lines = [line.strip() for line in view().splitlines() if line.startswith("GPU")]
    assert lines == (
        ["GPU 0: 87 %, 12.2 of 80.0 GiB; 1:"] if width == 80 else ["GPU 0: 87 %, 12.2 of 80.0 GiB", "GPU 1:"]
    )


def test_at_the_end_the_last_state_stays(study: OpenStudy, view: View, tmp_path: Path) -> None:
    names, registry = [enter(study, 1), enter(study, 2)], Registry(study.storage, study.uid)
    for number, name in enumerate(names):
        registry.update(name, "training", number + 1, 55, 60, 6.5 + number)
    view()
    for _ in range(3):
        finish(study, tmp_path)
    for name in names:
        registry.update(name, "left")
    shown = view()
    assert "3/3 trials" in shown and " left" not in shown.split("worker")[0]
    assert re.search(r":1 +cpu +left +1 +60/60 +6\.50", shown)
    assert re.search(r":2 +cpu +left +2 +60/60 +7\.50", shown)
    assert "luckiest run: IS" in shown


def test_drained_workers_stay_where_they_were(study: OpenStudy, view: View) -> None:
    worker, registry = enter(study, 1), Registry(study.storage, study.uid)
    registry.update(worker, "training", 0, 5, 60)
    assert re.search(r":1 +cpu +draining +0 +5/60", view(draining=True))
    registry.update(worker, "left")
    shown = view(draining=True)
    assert re.search(r":1 +cpu +left +0 +5/60", shown)
    assert "time left" not in shown


def test_a_worker_that_died_in_the_middle_is_not_shown(study: OpenStudy, view: View) -> None:
    worker, registry = enter(study, 1), Registry(study.storage, study.uid)
    registry.update(enter(study, 2), "training", 1, 5, 60)
    view()
    registry.mark_dead([worker])
    assert ":1 " not in view()


def test_an_outage_is_said_beside_what_was_seen_last(
    study: OpenStudy, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    Registry(study.storage, study.uid).update(enter(study, 1), "training", 0, 5, 60)
    view()

    def away() -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, Exception("server closed the connection"), None, True)

    monkeypatch.setattr(view.view.monitor, "snapshot", away)
    shown = view()
    assert re.search(r":1 +cpu +training +0 +5/60", shown) and "the database is away, workers go on" in shown


def test_many_workers_fit_the_height(study: OpenStudy, view: View) -> None:
    for pid in range(1, 61):  # 0 is no process
        enter(study, pid)
    lines = view().splitlines()
    assert len(lines) <= view.console.height
    assert re.search(r"and \d+ more workers: colgan-search status", lines[-1])
    assert all(len(line) <= view.console.width for line in lines)
