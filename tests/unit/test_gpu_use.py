"""How busy the GPUs are, from a made-up nvidia-smi on the path."""

import time
from pathlib import Path

import pytest

from colgan_search.launchers.gpu_use import GpuUse, GpuWatch, parse

ANSWER = "0, 87, 12544, 81920\n1, [N/A], [N/A], [N/A]\n"


def _nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    file = folder / "nvidia-smi"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_an_answer_is_read() -> None:
    assert parse(ANSWER) == [GpuUse(0, 87.0, 12.25, 80.0), GpuUse(1, None, None, None)]
    assert parse("No devices were found\n") == []


def test_a_watch_asks_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _nvidia_smi(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/asked; printf "{ANSWER}"')
    with GpuWatch() as watch:
        while not watch.latest:
            time.sleep(0.01)
    assert watch.latest == parse(ANSWER)
    asked = (tmp_path / "asked").read_text()
    assert "--query-gpu=index,utilization.gpu,memory.used,memory.total" in asked and "nounits" in asked


def test_a_driver_that_fails_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _nvidia_smi(tmp_path, monkeypatch, f"touch {tmp_path}/asked; exit 9")
    with GpuWatch() as watch:
        while not (tmp_path / "asked").exists():
            time.sleep(0.01)
        assert watch.latest == []


def test_without_the_driver_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with GpuWatch() as watch:
        assert watch.latest == [] and not watch._thread.is_alive()
