"""A real file system of limited size: full before a write, and filling up in the middle of a checkpoint."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from colgan_search.config import load_config
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from tests.fleet import Fleet, assert_exact, at_work, fake_config, make_study, rows_of, wait_until
from tests.integration import cli_helpers as helpers

# Without the look at the free space before a write, as if others had filled the disk just after it.
WORKER = """
import sys
import colgan_search.files as files
import colgan_search.gan.checkpoint as checkpoint
from colgan_search.cli.app import main
files.FREE_SPACE_FLOOR_BYTES = 0
checkpoint.require_space = lambda *arguments: None
sys.argv[0] = "colgan-search"
main()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting needs root and its capabilities")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def _fill(disk: Path) -> None:
    with pytest.raises(OSError), (disk / "fill").open("wb") as fill:
        while True:
            fill.write(b"x" * 512)
            fill.flush()


def _faults(url: str, what: str) -> list[str]:
    rows = rows_of(url, "SELECT faults FROM colgan_slots ORDER BY slot")
    return [fault[what] for (text,) in rows for fault in json.loads(text)]


def test_a_full_disk_gives_the_slot_back_and_stops_the_worker(
    prepared_postgres_url: str, tmp_path: Path, small_disk: Path
) -> None:
    url = prepared_postgres_url
    config = fake_config()
    make_study(url, 4, config).storage.close()
    with Fleet(url, small_disk, 0.1, orders="write", log_dir=tmp_path) as fleet:
        _fill(small_disk)
        fleet.start()
        assert fleet.wait() == [1], fleet.log()
        assert "3 faults in a row, this worker stops" in fleet.log() and "no space left" in fleet.log()
        assert len(_faults(url, "reason")) == 3 and all(
            "DiskFull" in r and "no space left" in r for r in _faults(url, "reason")
        )
        assert _faults(url, "kind") == ["machine"] * 3, "it does not speak against the graphs"
        assert rows_of(url, "SELECT DISTINCT state FROM colgan_slots") == [("free",)]
        assert [path.name for path in small_disk.rglob("*") if path.is_file()] == ["fill"], "nothing half-written"
        (small_disk / "fill").unlink()
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(url, 4, config=config)


def _worker(url: str, disk: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    arguments = ["worker", "--study", "small", "--work-dir", str(disk), "--log-file", str(cwd / "worker.log")]
    return subprocess.run(
        [sys.executable, "-c", WORKER, *arguments],
        env=helpers.environment(COLGAN_STORAGE=url),
        capture_output=True,
        text=True,
        timeout=helpers.WAIT_SECONDS,
    )


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_of_a_checkpoint(
    prepared_postgres_url: str, tmp_path: Path, small_disk: Path
) -> None:
    """A real training; the third checkpoint, beside the two before it, does not fit any more."""
    url = prepared_postgres_url
    # Saved after every iteration; a checkpoint of these networks has 0.65 MB, the classifier and its like 0.45 MB.
    changes = {"network__width": 144, "training__epochs": 1, "runtime__checkpoint_minutes": 1e-9}
    changes |= {"search__first": ["all-through"]}  # every generator has an optimizer's state to save
    path = helpers.write_config(tmp_path, **changes)
    create_or_open(open_storage(url), load_config(str(path)), "small", 1).storage.close()
    stopped = _worker(url, small_disk, tmp_path)
    assert stopped.returncode == 1, stopped.stderr
    assert "3 faults in a row, this worker stops" in stopped.stderr and "no space left on the device" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert rows_of(url, "SELECT state, trial_number, outcome FROM colgan_slots") == [("free", 0, None)]
    assert len(_faults(url, "reason")) == 3 and all(
        "checkpoint.pt: no space left" in reason for reason in _faults(url, "reason")
    )
    run = small_disk / "small" / "trial-00000"
    left = {file.name: file.stat().st_size for file in run.iterdir()}
    assert set(left) == {"checkpoint.pt", "checkpoint.previous.pt"}, "nothing half-written"
    others = sum(file.stat().st_size for file in small_disk.rglob("*") if file.is_file() and file.parent != run)
    size = left["checkpoint.pt"]
    assert others + 2 * size < 2 * 2**20 < others + 3 * size, "two fit, and a third does not"
    saved = {name: torch.load(run / name, weights_only=True)["data"]["progress"][0] for name in left}
    assert saved == {"checkpoint.previous.pt": 1, "checkpoint.pt": 2}, "both whole, of the first two iterations"

    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    goes_on = _worker(url, small_disk, tmp_path)
    assert goes_on.returncode == 0, goes_on.stderr
    (trial,) = helpers.require_complete(url, 1)
    undisturbed = helpers.run_cli("launch", "--config", path, "--trials", 1, "--workers", 1, cwd=tmp_path)
    assert undisturbed.returncode == 0, undisturbed.stderr
    (same,) = helpers.require_complete(f"sqlite:///{tmp_path / 'colgan_work' / 'studies.db'}", 1)
    assert trial.params == same.params and trial.value == same.value, "resumed to the same bits"


def test_sqlite_on_a_disk_that_fills_up(small_disk: Path, tmp_path: Path) -> None:
    """No outage that passes: the worker stops at once, with exit code 1, and the study goes on when there is room."""
    url = f"sqlite:///{small_disk}/study.db"
    config = fake_config(service={"lease_seconds": 3.0})
    make_study(url, 4, config).storage.close()
    go = tmp_path / "go"
    with Fleet(url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        fleet.start()
        wait_until(lambda: at_work(url), "the trial begins")
        _fill(small_disk)
        go.touch()
        assert fleet.wait() == [1], fleet.log()
        assert "DiskFull" in fleet.log() and "free some space on its disk" in fleet.log()
        (small_disk / "fill").unlink()
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(url, 4, config=config)
