"""A real training on the digits, killed or stopped at a random moment: the weights are those of an undisturbed one."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CONFIG = """
name: killed
k: 2
data: {name: digits, size: 8, channels: 1}
network: {width: 4, z: 8}
transfer: {kind: image, alpha: 20}
training: {epochs: 40, batch: 64, learning_rate: 2e-3}
evaluation: {extractor: classifier, classifier_epochs: 1, images: 100, splits: 1}
runtime: {checkpoint_minutes: 0.002}
"""


def command(folder: Path, out: str) -> list[str]:
    arguments = ["train", "--config", str(folder / "c.yaml"), "--graph", "buffer", "--out", str(folder / out)]
    return [sys.executable, "-m", "colgan_search", *arguments, "--work-dir", str(folder / "work")]


def digest(folder: Path, out: str) -> str:
    return hashlib.sha256((folder / out / "seed-0" / "generators.safetensors").read_bytes()).hexdigest()


def start(folder: Path, out: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command(folder, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_weights_after_an_interruption_are_the_same_to_the_bit(tmp_path: Path, number: signal.Signals) -> None:
    seed = int(os.environ.get("COLGAN_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    wait = random.Random(seed).uniform(0.2, 2.0)
    (tmp_path / "c.yaml").write_text(CONFIG, encoding="utf-8")
    subprocess.run(command(tmp_path, "whole"), check=True, capture_output=True, timeout=200)
    disturbed = start(tmp_path, "disturbed")
    checkpoint = tmp_path / "disturbed" / "seed-0" / "checkpoint.pt"
    while not checkpoint.exists():
        assert disturbed.poll() is None, "it ended before its first checkpoint"
        time.sleep(0.01)
    time.sleep(wait)
    disturbed.send_signal(number)
    asked = time.monotonic()
    code = disturbed.wait(timeout=60)
    if number is signal.SIGTERM:
        assert code == 0 and time.monotonic() - asked < 30.0
    else:
        assert code == -signal.SIGKILL
    assert checkpoint.exists() and not (tmp_path / "disturbed" / "seed-0" / "outcome.json").exists()
    subprocess.run(command(tmp_path, "disturbed"), check=True, capture_output=True, timeout=200)
    assert digest(tmp_path, "disturbed") == digest(tmp_path, "whole")
