"""Checkpoints: what a crash, a full disk, a broken file or another run's file does to them."""

import logging
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search import files
from colgan_search.errors import DiskFull
from colgan_search.gan import checkpoint as module
from colgan_search.gan.checkpoint import CheckpointFile


def data(number: int) -> dict[str, Any]:
    """Enough bytes that most of the file is tensor."""
    return {"number": number, "weights": torch.full((5000,), float(number)), "extra": {"is": [1.5, None], "name": "é"}}


def number(checkpoint: CheckpointFile) -> int | None:
    loaded = checkpoint.load()
    if loaded is None:
        return None
    assert torch.equal(loaded["weights"], data(loaded["number"])["weights"])
    assert loaded["extra"] == {"is": [1.5, None], "name": "é"}
    return int(loaded["number"])


@pytest.fixture
def two(tmp_path: Path) -> CheckpointFile:
    """A run with checkpoints 1 (previous) and 2."""
    checkpoint = CheckpointFile(tmp_path / "trial", "run a")
    checkpoint.save(data(1))
    checkpoint.save(data(2))
    return checkpoint


def test_nothing_there(tmp_path: Path) -> None:
    checkpoint = CheckpointFile(tmp_path / "not yet", "run a")
    assert checkpoint.load() is None
    checkpoint.remove()
    assert not (tmp_path / "not yet").exists()


def test_the_newest_is_loaded_and_the_one_before_is_kept(two: CheckpointFile) -> None:
    assert number(two) == 2
    two.save(data(3))
    assert number(CheckpointFile(two.path.parent, "run a")) == 3
    two.path.unlink()
    assert number(two) == 2
    assert [path.name for path in two.path.parent.iterdir()] == ["checkpoint.previous.pt"]


def test_remove(two: CheckpointFile) -> None:
    two.remove()
    assert list(two.path.parent.iterdir()) == []
    assert two.load() is None


def _cut(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF  # inside the weights
    path.write_bytes(content)


BREAKS = {
    "cut short": lambda path: _cut(path, 0.9),
    "half": lambda path: _cut(path, 0.5),
    "empty": lambda path: _cut(path, 0.0),
    "garbage": lambda path: path.write_bytes(b"\x00garbage" * 500),
    "text": lambda path: path.write_text("hello"),
    "one bit rotten": _flip,
    "another format": lambda path: torch.save({"format": 99, "identity": "run a", "data": data(9)}, path),
    "another run": lambda path: torch.save({"format": 1, "identity": "run b", "data": data(9)}, path),
    "not ours": lambda path: torch.save([1, 2, 3], path),
    "code inside": lambda path: torch.save({"format": 1, "identity": "run a", "data": Path("x")}, path),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_checkpoint_is_refused_and_the_previous_used(
    two: CheckpointFile, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    BREAKS[how](two.path)
    with caplog.at_level(logging.WARNING):
        assert number(two) == 1
    assert len(caplog.records) == 1
    assert str(two.path) in caplog.text and "refused" in caplog.text


@pytest.mark.parametrize("error", [zlib.error("invalid stored block lengths"), NotImplementedError("method 99")])
def test_whatever_broken_bytes_raise_is_a_refusal(
    two: CheckpointFile, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Single changed bytes of the archive's directory were seen to end in zlib.error and others."""
    testzip = zipfile.ZipFile.testzip

    def fails(self: zipfile.ZipFile) -> str | None:
        if self.filename == str(two.path):
            raise error
        return testzip(self)

    monkeypatch.setattr(zipfile.ZipFile, "testzip", fails)
    assert number(two) == 1


def test_both_broken_is_a_fresh_start(two: CheckpointFile, caplog: pytest.LogCaptureFixture) -> None:
    _cut(two.path, 0.5)
    _cut(two.previous, 0.5)
    assert two.load() is None
    assert len(caplog.records) == 2


def test_a_refused_checkpoint_never_replaces_the_good_one(two: CheckpointFile) -> None:
    _cut(two.path, 0.5)
    resumed = CheckpointFile(two.path.parent, "run a")
    assert number(resumed) == 1
    resumed.save(data(3))
    assert number(resumed) == 3
    resumed.path.unlink()
    assert number(resumed) == 1


def test_another_runs_checkpoint_names_both(two: CheckpointFile, caplog: pytest.LogCaptureFixture) -> None:
    assert CheckpointFile(two.path.parent, "run b").load() is None
    assert "belongs to run 'run a', this one is 'run b'" in caplog.text


@pytest.mark.parametrize("moment", ["before rotation", "after rotation"])
def test_a_crash_while_saving_leaves_a_whole_one(
    two: CheckpointFile, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    class Killed(BaseException):
        pass

    replace = Path.replace
    count = 0

    def dies(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count == (1 if moment == "before rotation" else 2):
            raise Killed
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(Killed):
        two.save(data(3))
    monkeypatch.undo()
    assert number(CheckpointFile(two.path.parent, "run a")) == 2


def test_a_full_disk_changes_nothing(two: CheckpointFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FREE_SPACE_FLOOR_BYTES", 2**62)
    with pytest.raises(DiskFull, match="free some space"):
        two.save(data(3))
    monkeypatch.undo()

    def full(self: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match="no space left"):
        two.save(data(3))
    monkeypatch.undo()
    assert number(two) == 2
    assert sorted(path.name for path in two.path.parent.iterdir()) == ["checkpoint.previous.pt", "checkpoint.pt"]


def test_the_needed_space_is_that_of_the_file(two: CheckpointFile, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(module, "require_space", lambda folder, needed: asked.append(needed))
    two.save(data(3))
    assert asked == [two.path.stat().st_size]
