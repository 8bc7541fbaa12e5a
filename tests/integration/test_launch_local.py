"""`launch` on one machine with SQLite: begun, typed again, extended, watched on a terminal, drained, killed."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import sqlite3
import struct
import subprocess
import termios
import threading
from pathlib import Path

import psutil
import pytest
from PIL import Image

from colgan_search.cli.app import run
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.budget.workers import Registry, WorkerRow
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import OpenStudy, open_study
from tests.integration.cli_helpers import (
    command,
    dead,
    end,
    environment,
    optuna_study,
    require_complete,
    run_cli,
    start_cli,
    trials_of,
    wait_for,
    write_config,
)

pytestmark = pytest.mark.slow

DRAIN_SECONDS = 30.0
"""What every worker promises; these are far quicker."""


def storage_of(folder: Path) -> str:
    """The SQLite file that `launch` makes in its default work folder."""
    return f"sqlite:///{folder / 'colgan_work' / 'studies.db'}"


def opened(folder: Path) -> OpenStudy:
    """The study, by our own API."""
    return open_study(open_storage(storage_of(folder)), "small")


def rows_of(folder: Path) -> list[WorkerRow]:
    """The workers that the database knows; none while there is no study yet."""
    try:
        study = opened(folder)
    except Exception:
        return []
    try:
        return Registry(study.storage, study.uid).all()
    finally:
        study.storage.close()


def training(folder: Path) -> list[WorkerRow]:
    """The workers that are in the middle of a trial."""
    return [row for row in rows_of(folder) if row.state == "training" and row.epoch]


def stopped_between_writes(pid: int, folder: Path) -> bool:
    """Stops the process; lets it go on, and says False, if it holds the lock of the database: all would wait for it."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "the process to stop")
    with contextlib.closing(sqlite3.connect(folder / "colgan_work" / "studies.db", timeout=5.0)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            os.kill(pid, signal.SIGCONT)
            return False
    return True


def scored_of(folder: Path, number: int) -> list[WorkerRow]:
    """Who is in the middle of trial `number` and has told a score of it."""
    return [row for row in training(folder) if row.trial_number == number and row.last_is is not None]


@pytest.mark.usefixtures("quiet_process")
def test_launched_typed_again_and_extended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path)
    first = run_cli("launch", "--config", path, "--trials", 2, "--workers", 1, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    trials = require_complete(storage_of(tmp_path), 2)
    best = optuna_study(storage_of(tmp_path)).best_trial
    assert best.user_attrs["graph"] in first.stdout
    for line in KnowledgeTransferGraph.from_text(best.user_attrs["graph"]).describe():
        assert line in first.stdout
    picture = tmp_path / "colgan_work" / "small" / "best.png"
    assert min(Image.open(picture).size) > 200
    assert "<svg" in picture.with_suffix(".svg").read_text()
    # Plain lines: no escape codes, one line per result at least.
    assert "\x1b" not in first.stderr + first.stdout
    assert "study small is done: 2 trials" in first.stderr
    assert "0/2 trials done" in first.stderr

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    attributes = optuna_study(storage_of(tmp_path)).user_attrs
    for again in (["--trials", "2"], []):
        assert run(["launch", "--config", str(path), "--workers", "1", *again]) == 0
        said = capfd.readouterr()
        assert "study small is done: 2 trials; nothing to do" in said.err
        assert best.user_attrs["graph"] in said.out
        assert trials_of(storage_of(tmp_path)) == trials
        assert optuna_study(storage_of(tmp_path)).user_attrs == attributes

    assert run(["launch", "--config", str(path), "--trials", "3", "--workers", "1"]) == 0
    assert require_complete(storage_of(tmp_path), 3)[:2] == trials


def awaits(pid: int, number: int) -> bool:
    """True if a stopped process was sent this signal and has not seen it yet."""
    pending = re.search(r"^ShdPnd:\s+([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert pending is not None
    return bool(int(pending[1], 16) >> (number - 1) & 1)


class Terminal:
    """A program under a pseudo-terminal of 150 x 50 characters."""

    def __init__(self, arguments: list[str], cwd: Path) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 150, 0, 0))
        self.process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env=environment(TERM="xterm", COLUMNS="150", LINES="50"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._raw = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while block := os.read(self.master, 65_536):
                self._raw += block
        except OSError:
            pass  # the other end is closed

    @property
    def raw(self) -> str:
        """Everything that came, with its escape codes."""
        return self._raw.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything that came, without them."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.raw)

    def press(self, key: bytes) -> None:
        """What a person types."""
        os.write(self.master, key)


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_process")
def test_live_view_and_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # So long a trial that the second one is far from its end, however late its first score is seen.
    path = write_config(tmp_path, training__epochs=60, evaluation__every_epochs=3)
    terminal = Terminal(command("launch", "--config", path, "--trials", 2, "--workers", 1), tmp_path)
    stopped: list[int] = []
    try:
        # One result is there, and the second trial is under way; stopped, it cannot end before all is seen.
        (scored,) = wait_for(lambda: scored_of(tmp_path, 1), "the second trial's first evaluation")
        stopped.append(scored.process.pid)
        wait_for(lambda: stopped_between_writes(stopped[0], tmp_path), "the worker to stop without the file's lock")
        row = r":\d+ +cpu +training +1 +\d+/60 +\d\.\d\d"
        wait_for(lambda: re.search(row, terminal.text), "the second trial's row")
        shown = terminal.text
        terminal.press(b"\x03")
        wait_for(lambda: "draining: workers" in terminal.text, "the answer to Ctrl-C")
        wait_for(lambda: awaits(stopped[0], signal.SIGTERM), "the worker's word to leave")
        os.kill(stopped.pop(), signal.SIGCONT)
        assert terminal.process.wait(timeout=DRAIN_SECONDS) == 0, terminal.text
    finally:
        end(terminal.process)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert "\x1b[" in terminal.raw and "━" in shown  # a bar, drawn again in its place
    assert re.search(r"small +━+.* [01]/2 trials", shown)
    assert re.search(r"worker +device +does +trial +epoch +last IS", shown)
    assert re.search(r"luckiest run: IS \d\.\d+, trial 0, G1=", shown)
    assert "draining: workers checkpoint and leave" in terminal.text
    assert "stopped with 1 of 2 trials done; the same command goes on from here" in terminal.text
    study = opened(tmp_path)
    assert (study.slots.budget().done, study.slots.budget().running, study.slots.budget().free) == (1, 0, 1)
    assert len(list((tmp_path / "colgan_work" / "small" / "trial-00001").glob("checkpoint*.pt"))) > 0
    before = trials_of(storage_of(tmp_path))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    assert run(["launch", "--config", str(path), "--workers", "1"]) == 0
    trials = require_complete(storage_of(tmp_path), 2)
    assert trials[0] == before[0]
    assert trials[1].params == before[1].params and trials[1].datetime_start == before[1].datetime_start


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_process")
def test_killed_launch_leaves_no_worker_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(tmp_path, training__epochs=60)  # no worker is done before the other begins
    launch = start_cli("launch", "--config", path, "--trials", 3, "--workers", 2, cwd=tmp_path)
    try:
        wait_for(lambda: len(training(tmp_path)) == 2, "two workers that train")
    finally:
        end(launch, signal.SIGKILL)
    workers = [row.process.pid for row in rows_of(tmp_path)]
    assert len(workers) == 2
    wait_for(lambda: all(dead(pid) for pid in workers), "both workers to leave", DRAIN_SECONDS)
    budget = opened(tmp_path).slots.budget()
    assert budget.running == 0 and budget.done < 3
    assert {row.state for row in rows_of(tmp_path)} == {"left"}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
    assert run(["launch", "--config", str(path), "--workers", "2"]) == 0
    require_complete(storage_of(tmp_path), 3)
