"""Places where nothing can be written: said with exit code 2, never a traceback, and nothing is made."""

import threading
from pathlib import Path

import pytest

from colgan_search.api.work_and_storage import output_file, work_folder
from colgan_search.api.working import WorkRequest, work
from colgan_search.cli.app import run
from colgan_search.errors import DataError
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from tests.integration.cli_helpers import small_config, write_config

pytestmark = pytest.mark.usefixtures("quiet_process")

NOWHERE = "/proc/q"
"""Its permissions say that root may write there; nothing can be made there by anyone."""

COMMANDS = {
    "sample-grid": ("sample bundle --out {}", "--out"),
    "sample-folder": ("sample bundle --out {}/images", "--out"),
    "sample-png": ("sample bundle --out {}/x.png", "--out"),
    "sample-npz": ("sample bundle --out {}/x.npz", "--out"),
    "best-export": ("best --work-dir work --export {}", "--export"),
    "best-picture": ("best --work-dir work --picture {}/x.png", "--picture"),
    "graphs-picture": ("graphs mad-gan --k 2 --picture {}/x.png", "--picture"),
    "figures": ("figures --work-dir work --out {}", "--out"),
    "prepare": ("prepare {} --config small.yaml", "FOLDER"),
    "train-out": ("train --config small.yaml --graph mad-gan --work-dir work --out {}", "--out"),
    "evaluate": ("evaluate bundle --work-dir {}", "--work-dir"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study of one trial in work/, its bundle, and a file grid.png."""
    place = tmp_path_factory.mktemp("unwritable")
    write_config(place)
    url = f"sqlite:///{place / 'work' / 'studies.db'}"
    (place / "work").mkdir()
    create_or_open(open_storage(url, create=True), small_config(place), "small", 1).storage.close()
    assert work(WorkRequest("small", url, place / "work"), threading.Event()).accepted == 1
    assert run(["best", "--work-dir", str(place / "work"), "--export", str(place / "bundle")]) == 0
    (place / "grid.png").write_bytes(b"mine")
    (place / "folder.png").mkdir()
    return place


@pytest.mark.parametrize("where", [NOWHERE, "grid.png/x"])
@pytest.mark.parametrize("name", COMMANDS)
def test_unwritable_places_are_refused(
    name: str, where: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    before = sorted(place.rglob("*"))
    line, option = COMMANDS[name]
    capsys.readouterr()
    code = run(line.format(where).split())
    said = "".join(capsys.readouterr())
    assert code == 2, said
    assert "Traceback" not in said and "defect" not in said
    assert option in said and where in said
    assert ("is a file" if where.startswith("grid") else "cannot be written to") in said
    assert sorted(place.rglob("*")) == before and (place / "grid.png").read_bytes() == b"mine"


def test_a_folder_is_no_file(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(place)
    assert run(["sample", "bundle", "--out", "folder.png"]) == 2
    assert "--out folder.png: is a folder" in capsys.readouterr().err
    assert list((place / "folder.png").iterdir()) == []


def test_the_check_leaves_no_trace(tmp_path: Path) -> None:
    work_folder(tmp_path / "a" / "b")
    output_file(tmp_path / "c" / "d.png")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match=r"--x .*d\.png: .* is a file"):
        (tmp_path / "c").touch()
        output_file(tmp_path / "c" / "d.png", "--x")
