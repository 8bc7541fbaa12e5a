"""What we make is closed to other users of the machine, whatever the umask; what is there stays as it is."""

import logging
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from colgan_search import logs
from colgan_search.api import working
from colgan_search.api.working import WorkRequest
from colgan_search.files import make_private
from colgan_search.search.database.opening import open_storage
from tests.integration import cli_helpers as helpers


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest, quiet_process: None) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_sqlite_file_and_those_that_sqlite_makes_beside_it(umask: int, tmp_path: Path) -> None:
    file = tmp_path / "work" / "deep" / "studies.db"
    storage = open_storage(f"sqlite:///{file}", create=True)
    assert storage.optuna.get_all_studies() == []
    beside = {path.name: _mode(path) for path in file.parent.iterdir() if not path.name.endswith(".lock")}
    assert beside == dict.fromkeys(("studies.db", "studies.db-wal", "studies.db-shm"), 384)
    assert [_mode(tmp_path / "work"), _mode(file.parent)] == [0o700, 0o700]
    storage.close()


def test_what_is_there_stays_as_it_is(umask: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    file = tmp_path / "studies.db"
    open_storage(f"sqlite:///{file}", create=True).close()
    file.chmod(0o664)
    open_storage(f"sqlite:///{file}", create=True).close()
    make_private(tmp_path)
    assert (_mode(file), _mode(tmp_path)) == (0o664, 0o750)


def test_logs_are_ours_and_stay_so_when_they_are_rotated(
    umask: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOG_FILE_BYTES", 100)
    logs.set_up(tmp_path / "a.log", terminal=False)
    for _ in range(5):
        logging.getLogger("colgan_search").info("x" * 60)
    files = sorted(tmp_path.glob("a.log*"))
    assert len(files) > 2 and {_mode(path) for path in files} == {0o600}


@pytest.mark.slow
def test_everything_that_a_worker_makes(umask: int, tmp_path: Path) -> None:
    """Nobody else gets to a file of the work folder: it, or a folder around it, is closed."""
    work = tmp_path / "work"
    url = f"sqlite:///{work / 'studies.db'}"
    helpers.fake_study(url, helpers.small_config(tmp_path), total=1, done=0).storage.close()
    request = WorkRequest("small", url, work, keep_log=True)
    assert working.work(request, threading.Event()).accepted == 1
    assert {_mode(work), _mode(work / "small"), _mode(work / "small" / "logs")} == {0o700}
