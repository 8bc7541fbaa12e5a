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
training: {epochs: 25, batch: 64, learning_rate: 2e-3}
evaluation: {extractor: classifier, classifier_epochs: 1, images: 100, splits: 1}
runtime: {checkpoint_minutes: 0.002}
"""


INTERRUPTED = """
import os, sys, threading, time
from pathlib import Path
from colgan_search.cli.app import main

def interrupt(checkpoint, asked, seconds, number):
    while not checkpoint.exists():
        time.sleep(0.01)
    time.sleep(seconds)
    asked.touch()
    os.kill(os.getpid(), number)

checkpoint, asked, seconds, number, *sys.argv[1:] = sys.argv[1:]
arguments = (Path(checkpoint), Path(asked), float(seconds), int(number))
threading.Thread(target=interrupt, args=arguments, daemon=True).start()
main()
"""
"""Sends itself a signal so long after its first checkpoint: a busy machine holds up the training with it."""


def command(folder: Path, out: str) -> list[str]:
    arguments = ["train", "--config", str(folder / "c.yaml"), "--graph", "buffer", "--out", str(folder / out)]
    return [sys.executable, "-m", "colgan_search", *arguments, "--work-dir", str(folder / "work")]


def digest(folder: Path, out: str) -> str:
    return hashlib.sha256((folder / out / "seed-0" / "generators.safetensors").read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_weights_after_an_interruption_are_the_same_to_the_bit(tmp_path: Path, number: signal.Signals) -> None:
    seed = int(os.environ.get("COLGAN_TEST_SEED", random.randrange(10**6)))
    print(f"seed {seed}")
    wait = random.Random(seed).uniform(0.05, 0.6)
    (tmp_path / "c.yaml").write_text(CONFIG, encoding="utf-8")
    whole = subprocess.run(command(tmp_path, "whole"), check=True, capture_output=True, text=True, timeout=200)
    assert (tmp_path / "whole" / "seed-0" / "outcome.json").exists(), whole.stderr
    checkpoint = tmp_path / "disturbed" / "seed-0" / "checkpoint.pt"
    asked = tmp_path / "asked"
    python, _, _, *arguments = command(tmp_path, "disturbed")
    when = [str(checkpoint), str(asked), str(wait), str(int(number))]
    disturbed = subprocess.run([python, "-c", INTERRUPTED, *when, *arguments], capture_output=True, timeout=200)
    seconds = time.time() - asked.stat().st_mtime
    if number is signal.SIGTERM:
        assert disturbed.returncode == 0 and seconds < 30.0
    else:
        assert disturbed.returncode == -signal.SIGKILL
    assert checkpoint.exists() and not (tmp_path / "disturbed" / "seed-0" / "outcome.json").exists()
    subprocess.run(command(tmp_path, "disturbed"), check=True, capture_output=True, timeout=200)
    assert digest(tmp_path, "disturbed") == digest(tmp_path, "whole")
