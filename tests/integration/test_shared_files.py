"""Files that all workers of a study share: first come, first kept, the same bytes for everybody."""

from pathlib import Path

from colgan_search.config import load_config
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.search.study.shared_files import SharedFiles


def test_the_first_worker_decides(storage_url: str, tmp_path: Path) -> None:
    storage = open_storage(storage_url, create=True)
    shared = SharedFiles(create_or_open(storage, load_config("digits"), "a", 3))
    other_study = SharedFiles(create_or_open(storage, load_config("digits"), "b", 3))
    assert shared.pull(tmp_path / "empty") == []
    mine, theirs = tmp_path / "mine" / "w.safetensors", tmp_path / "theirs" / "w.safetensors"
    for path, content in ((mine, bytes(range(256)) * 300), (theirs, b"other")):
        path.parent.mkdir()
        path.write_bytes(content)
    assert shared.push([mine])
    assert shared.push([mine])
    assert not shared.push([theirs])
    assert shared.pull(theirs.parent) == [theirs]
    assert theirs.read_bytes() == mine.read_bytes()
    assert other_study.pull(tmp_path / "empty") == []
    storage.close()
