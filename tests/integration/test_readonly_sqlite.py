"""An SQLite study that can only be read is read, and nothing else is tried for long."""

import ctypes
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_helpers import (
    WAIT_SECONDS,
    command,
    contents,
    environment,
    fake_study,
    optuna_study,
    small_config,
)

pytestmark = pytest.mark.slow

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def bound_by_permissions() -> None:
    """In a child before it becomes the program: root, too, may then do only what a file's permissions say."""
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def cli(*arguments: object, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        preexec_fn=bound_by_permissions,
    )


@pytest.fixture(params=["file", "folder"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The file of a study of 3 results, itself read-only or in a read-only folder."""
    file = tmp_path / "there" / "study.db"
    file.parent.mkdir()
    fake_study(f"sqlite:///{file}", small_config(tmp_path), total=4, done=3).storage.close()
    locked = file if request.param == "file" else file.parent
    locked.chmod(0o444 if locked is file else 0o555)
    yield file
    file.parent.chmod(0o755)


def test_it_is_read(study: Path, tmp_path: Path) -> None:
    before = contents(study.parent)
    storage = ("--storage", f"sqlite:///{study}")
    status = cli("status", "--json", *storage, cwd=tmp_path)
    assert status.returncode == 0, status.stderr
    assert (json.loads(status.stdout)["done"], json.loads(status.stdout)["total"]) == (3, 4)
    trials = cli("trials", "--json", *storage, cwd=tmp_path)
    best = cli("best", "--json", *storage, cwd=tmp_path)
    figures = cli("figures", *storage, "--out", "pictures", "--format", "svg", cwd=tmp_path)
    assert (best.returncode, figures.returncode) == (0, 0), best.stderr + figures.stderr
    assert contents(study.parent) == before
    shutil.copyfile(study, tmp_path / "copy.db")
    theirs = optuna_study(f"sqlite:///{tmp_path / 'copy.db'}")
    assert [row["value"] for row in json.loads(trials.stdout)] == [trial.value for trial in theirs.trials]
    assert json.loads(best.stdout)["value"] == theirs.best_value


def test_work_on_it_is_refused_at_once(study: Path, tmp_path: Path) -> None:
    before = contents(study.parent)
    for line in (("worker", "--study", "small"), ("launch", "--config", "small.yaml", "--workers", 0)):
        refused = cli(*line, "--storage", f"sqlite:///{study}", cwd=tmp_path)
        assert refused.returncode == 2, refused.stderr
        assert "Traceback" not in refused.stderr
        assert str(study) in refused.stderr and "cannot be written to" in refused.stderr
        assert "status, best, trials and figures read it" in refused.stderr
    assert contents(study.parent) == before


def test_a_file_where_none_can_be_made_is_refused_at_once(tmp_path: Path) -> None:
    small_config(tmp_path)
    for place in ("/proc/x.db", "/proc/deep/x.db"):
        refused = cli(
            "launch", "--config", "small.yaml", "--workers", 0, "--storage", f"sqlite:///{place}", cwd=tmp_path
        )
        assert refused.returncode == 2, refused.stderr
        assert f"{place}: its folder /proc cannot be written to" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]
