"""Atomic writes, free space, and the names inside the work folder."""

import errno
import os
from pathlib import Path

import pytest

from colgan_search.errors import DiskFull
from colgan_search.file_names import WorkFolder
from colgan_search.files import atomic_path, require_space, write_text


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_write_makes_folders_and_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "é.txt"
    write_text(path, "first")
    write_text(path, "zwölf")
    assert path.read_text(encoding="utf-8") == "zwölf"
    assert names_in(path.parent) == ["é.txt"]


def test_nothing_is_seen_at_the_path_until_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_bytes() == b"half"


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt(), OSError(errno.EACCES, "no")])
def test_the_old_file_is_whole_when_the_block_raises(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(type(error)) as raised, atomic_path(path) as temporary:
        temporary.write_text("new, but only ha")
        raise error
    assert raised.value is error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_is_disk_full(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    with pytest.raises(DiskFull, match=r"a\.txt: no space left on the device"), atomic_path(path) as temporary:
        temporary.unlink()
        temporary.symlink_to("/dev/full")
        temporary.write_text("new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_no_space_and_no_quota_are_disk_full(tmp_path: Path, number: int) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(DiskFull, match="the file that was there before is whole"), atomic_path(path):
        raise OSError(number, os.strerror(number))
    assert names_in(tmp_path) == []


def test_two_writers_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with atomic_path(path) as ours:
        with atomic_path(path) as theirs:
            assert ours != theirs
            theirs.write_text("theirs")
        ours.write_text("ours")
        assert path.read_text() == "theirs"
    assert path.read_text() == "ours"


def test_space_is_required_before_a_write(tmp_path: Path) -> None:
    require_space(tmp_path)
    with pytest.raises(DiskFull, match=r"MiB free, .* MiB needed"):
        require_space(tmp_path, needed_bytes=2**62)


def test_names_in_the_work_folder() -> None:
    folder = WorkFolder(Path("work"))
    assert folder.database == Path("work/studies.db")
    assert folder.cache == Path("work/cache")
    assert folder.run("digits", 12) == Path("work/digits/trial-00012")
    assert folder.spool("digits") == Path("work/digits/spool")
    assert folder.logs("digits") == Path("work/digits/logs")
