"""`report` on a machine without the trials' run folders: what their workers kept for the dashboard is in it."""

import base64
import io
import re
import shutil
import threading
from pathlib import Path

import pytest
from PIL import Image

from colgan_search.cli.app import run
from colgan_search.file_names import WorkFolder
from colgan_search.records import Outcome
from colgan_search.search.artifacts.keeping import Picture
from colgan_search.search.artifacts.stores import store_of
from colgan_search.search.care.showing import Showcase
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study

TABLE = "epoch,D on G1,D->G1,G1 is_mean\n1,2.0,0.5,1.5\n2,1.0,0.4,2.5\n"


def picture(kind: str, number: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (40, 20), number).save(content, format=kind)
    return content.getvalue()


def kept_by_a_worker(number: int, outcome: Outcome, folder: Path) -> list[Picture]:
    return [
        Picture("samples.jpg", picture("JPEG", number)),
        Picture("strip.png", picture("PNG", number)),
        Picture("telemetry.csv", TABLE.encode()),
    ]


def not_pictures(number: int, outcome: Outcome, folder: Path) -> list[Picture]:
    page = b"<html><script>alert(1)</script></html>"
    return [Picture("samples.png", page), Picture("strip.png", page), Picture("telemetry.csv", page)]


def searched(url: str, folder: Path, draw: object = kept_by_a_worker, **artifacts: object) -> OpenStudy:
    """Four trials of a worker whose work folder is elsewhere."""
    study = make_study(url, 4, fake_config("searched", artifacts=artifacts))
    store = store_of(study.config.artifacts, study.storage, study.uid)
    shown = Showcase(study, store, draw)  # type: ignore[arg-type]
    worker = Worker(study, FakeExperiment(0.0), WorkFolder(folder), "cpu", threading.Event(), showcase=shown)
    assert worker.run().accepted == 4
    return study


def shown_in(page: Path, kind: str) -> set[bytes]:
    """The contents of the page's own pictures of a kind."""
    text = page.read_text(encoding="utf-8")
    return {base64.b64decode(found) for found in re.findall(rf'src="data:image/{kind};base64,([^"]+)"', text)}


def report(url: str, capsys: pytest.CaptureFixture[str]) -> tuple[Path, str]:
    """Written in a work folder that has never seen a trial; what was said over it."""
    assert run(["report", "--storage", url, "--out", "r.html"]) == 0
    return Path("r.html"), capsys.readouterr().err


@pytest.fixture
def url(prepared_file: Path, tmp_path: Path) -> str:
    shutil.copyfile(prepared_file, tmp_path / "study.db")
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def test_samples_curves_and_strips_come_from_the_database(
    prepared_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = searched(prepared_url, tmp_path / "elsewhere")
    page, _ = report(prepared_url, capsys)
    theirs = [picture("JPEG", number) for number in range(4)], [picture("PNG", number) for number in range(4)]
    assert len(shown_in(page, "jpeg") & set(theirs[0])) == 3  # of the three leading graphs
    assert len(shown_in(page, "png") & set(theirs[1])) == 3
    text = page.read_text(encoding="utf-8")
    assert text.count("losses, what D knows, gates, scores") >= 3 and "No samples" not in text
    # This machine's own file of a trial comes before what was kept of it.
    best = study.load().best_trial.number
    mine = picture("PNG", 200)
    (WorkFolder(Path("colgan_work")).run("searched", best)).mkdir(parents=True)
    (WorkFolder(Path("colgan_work")).run("searched", best) / "strip.png").write_bytes(mine)
    page, _ = report(prepared_url, capsys)
    assert mine in shown_in(page, "png")


def test_what_gave_way_to_better_trials_is_not_shown(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    searched(url, tmp_path / "elsewhere", max_megabytes=0.0006)  # room for one trial's
    page, _ = report(url, capsys)
    assert len(shown_in(page, "jpeg")) == 1


def test_what_is_no_picture_is_not_shown(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    searched(url, tmp_path / "elsewhere", not_pictures)
    page, _ = report(url, capsys)
    text = page.read_text(encoding="utf-8")
    assert "No samples" in text and "No curves" in text
    assert not any(b"alert" in content for content in shown_in(page, "png"))


def test_a_folder_is_read_where_its_owner_said_so(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    searched(url, tmp_path / "elsewhere", store="folder", place=str(folder))
    page, said = report(url, capsys)
    assert "No samples" in page.read_text(encoding="utf-8") and said.count("COLGAN_DATA") == 1
    monkeypatch.setenv("COLGAN_DATA", str(tmp_path))
    page, said = report(url, capsys)
    assert len(shown_in(page, "jpeg")) == 3 and "COLGAN_DATA" not in said
