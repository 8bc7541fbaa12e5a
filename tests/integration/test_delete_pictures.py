"""`delete` and the pictures of a study that lie beside its database: in a folder, or in a (made-up) bucket."""

import io
import json
import threading
import uuid
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import optuna
import pytest
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from colgan_search.cli.app import run
from colgan_search.file_names import WorkFolder
from colgan_search.records import Outcome
from colgan_search.search.artifacts import stores
from colgan_search.search.artifacts.keeping import Picture
from colgan_search.search.artifacts.stores import AllStores
from colgan_search.search.care.copying import copy_study
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.tables import artifacts
from colgan_search.search.optuna_private.handles import set_system_attribute
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study


class Bucket:
    """Takes `allowed` more removals; a real bucket says nothing of what it has not."""

    kept: ClassVar[dict[str, bytes]] = {}
    allowed: ClassVar[int] = 1000

    def __init__(self, name: str) -> None:
        assert name == "ours"

    def open_reader(self, artifact_id: str) -> BinaryIO:
        if artifact_id not in self.kept:
            raise ArtifactNotFound(artifact_id)
        return io.BytesIO(self.kept[artifact_id])

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        self.kept[artifact_id] = content_body.read()

    def remove(self, artifact_id: str) -> None:
        if Bucket.allowed == 0:
            raise ConnectionError("Could not connect to the endpoint URL")
        Bucket.allowed -= 1
        self.kept.pop(artifact_id, None)


def names(url: str) -> list[str]:
    storage = open_storage(url)
    try:
        return sorted(optuna.get_all_study_names(storage.optuna))
    finally:
        storage.close()


def two_files(number: int, outcome: Outcome, folder: Path) -> list[Picture]:
    return [Picture("graph.png", b"a picture"), Picture("samples.png", b"another one")]


def with_pictures(url: str, name: str, settings: dict[str, str], store: Any, tmp_path: Path) -> OpenStudy:
    """Three results of a worker with two pictures each, and one of the study, put there by Optuna's own call."""
    config = fake_config(name, artifacts=settings, service={"lease_seconds": 600.0})
    study = make_study(url, 3, config)
    shown = Showcase(study, store, two_files)
    worker = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path / "w"), "cpu", threading.Event(), showcase=shown)
    assert worker.run().accepted == 3
    (tmp_path / "picture.png").write_bytes(b"of a person")
    upload_artifact(artifact_store=store, file_path=str(tmp_path / "picture.png"), study_or_trial=study.load())
    return study


@pytest.fixture
def url(prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    monkeypatch.chdir(tmp_path)
    return prepared_url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture
def study(url: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """Its pictures lie in a folder that may be used here, beside those of others."""
    monkeypatch.setenv("COLGAN_DATA", str(folder))
    (folder / str(uuid.uuid4())).write_bytes(b"somebody else's")
    settings = {"store": "folder", "place": str(folder)}
    return with_pictures(url, "digits", settings, FileSystemArtifactStore(folder), tmp_path)


def test_pictures_in_a_folder_go_and_others_stay(
    study: OpenStudy, url: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(list(folder.iterdir())) == 8
    assert run(["delete", "digits"]) == 2
    assert f"its 3 results and its 7 pictures in {folder} for good?" in capsys.readouterr().err
    assert run(["delete", "digits", "--yes"]) == 0
    assert f"{folder}: 7 pictures removed" in capsys.readouterr().out
    assert [path.read_bytes() for path in folder.iterdir()] == [b"somebody else's"]
    assert names(url) == []


def test_ids_that_name_other_files_are_left_alone(study: OpenStudy, tmp_path: Path, folder: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for name in ("../mine", str(tmp_path / "mine"), "mine"):
        set_system_attribute(study.load(), f"artifacts:{name}", json.dumps({"artifact_id": name, "filename": "a.png"}))
    assert run(["delete", "digits", "--yes"]) == 0
    assert (tmp_path / "mine").exists() and len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("missing", ["permission", "folder", "content"])
def test_nothing_is_deleted_where_the_folder_is_not_to_be_had(
    missing: str,
    study: OpenStudy,
    url: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if missing == "permission":
        monkeypatch.setenv("COLGAN_DATA", "")
    elif missing == "folder":
        folder.rename(folder.with_name("unmounted"))
    else:
        folder.rename(folder.with_name("unmounted"))
        folder.mkdir()
    assert run(["delete", "digits", "--yes"]) == 2
    said = capsys.readouterr().err
    words = {"permission": "COLGAN_DATA", "folder": "is no folder on this machine", "content": "Is it mounted here?"}
    assert words[missing] in said and "--leave-pictures" in said and "Traceback" not in said
    assert names(url) == ["digits"] and len(study.load().trials) == 3
    assert run(["delete", "digits", "--yes", "--leave-pictures", "--json"]) == 0
    gone = json.loads(capsys.readouterr().out)
    assert (gone["pictures"], gone["pictures_left"], gone["place"]) == (0, 7, str(folder))
    assert names(url) == []


def test_a_bucket_that_breaks_off_can_be_gone_on_with(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "Boto3ArtifactStore", Bucket)
    monkeypatch.setattr(Bucket, "kept", {"of-others": b"x"})
    monkeypatch.setattr(Bucket, "allowed", 0)
    settings = {"store": "s3", "place": "ours"}
    study = with_pictures(url, "digits", settings, Bucket("ours"), tmp_path)
    for allowed, gone in ((0, 0), (2, 2)):
        monkeypatch.setattr(Bucket, "allowed", allowed)
        assert run(["delete", "digits", "--yes"]) == 2
        said = capsys.readouterr().err
        assert f"study 'digits' is not deleted, {gone} of its 7 pictures are" in said
        assert "Could not connect to the endpoint URL" in said
        assert len(Bucket.kept) == 8 - gone and len(study.load().trials) == 3
    monkeypatch.setattr(Bucket, "allowed", 1000)
    assert run(["delete", "digits", "--yes"]) == 0
    assert Bucket.kept == {"of-others": b"x"} and names(url) == []


def test_a_copy_in_the_same_database_keeps_the_pictures_that_both_show(
    study: OpenStudy, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy_study(study, study.storage, "copied")
    assert run(["delete", "copied", "--yes"]) == 0
    assert "pictures" not in capsys.readouterr().out and len(list(folder.iterdir())) == 8
    copy_study(study, study.storage, "copied")
    assert run(["delete", "digits", "--yes"]) == 0
    assert len(list(folder.iterdir())) == 8
    assert run(["delete", "copied", "--yes"]) == 0
    assert len(list(folder.iterdir())) == 1


def test_with_a_worker_at_it_no_picture_goes(study: OpenStudy, url: str, folder: Path) -> None:
    study.slots.set_total(4)
    assert study.slots.claim("elsewhere:7:00000001", 600.0) is not None
    assert run(["delete", "digits", "--yes"]) == 2
    assert len(list(folder.iterdir())) == 8 and names(url) == ["digits"]


def test_what_somebody_gave_at_the_dashboard_goes_out_of_the_table(url: str, tmp_path: Path) -> None:
    storage = open_storage(url)
    study = with_pictures(url, "digits", {}, AllStores(storage), tmp_path)
    with_pictures(url, "other", {}, AllStores(storage), tmp_path)
    assert run(["delete", "digits", "--yes"]) == 0
    with study.storage.engine.connect() as db:
        assert len(db.execute(artifacts.select()).all()) == 7
    storage.close()
