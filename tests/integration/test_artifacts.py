"""What trials leave for optuna-dashboard: read back by Optuna's and the dashboard's own functions."""

import io
import json
import logging
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import optuna
import pytest
import sqlalchemy as sa
from optuna.artifacts import FileSystemArtifactStore, download_artifact, get_all_artifact_meta, upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound
from optuna_dashboard import get_note, save_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard._note import get_note_from_system_attrs
from PIL import Image

from benchmarks.filling import fill
from colgan_search.api.guarding import Guard
from colgan_search.config.artifacts import ArtifactSettings
from colgan_search.errors import ConfigError, DataError
from colgan_search.file_names import WorkFolder
from colgan_search.records import Outcome
from colgan_search.sampling import winner
from colgan_search.search.artifacts import stores
from colgan_search.search.artifacts.keeping import Picture, keep
from colgan_search.search.artifacts.stores import AllStores, store_of
from colgan_search.search.artifacts.table_store import TableStore, has_table
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care import overview
from colgan_search.search.care.copying import copy_study
from colgan_search.search.care.dashboard import dashboard_application
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database import tables
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, make_study, optuna_trials


def pictured(number: int, outcome: Outcome, folder: Path) -> list[Picture]:
    """Two files that say whose they are."""
    return [Picture("graph.png", f"graph {number}".encode()), Picture("scores.csv", b"epoch,G1\n1,2.0\n")]


def showcase(study: OpenStudy) -> Showcase:
    return Showcase(study, store_of(study.config.artifacts, study.storage, study.uid), pictured)


def work(study: OpenStudy, folder: Path, shown: Showcase | None, orders: str = "") -> int:
    experiment = FakeExperiment(0.0, orders)
    drain = threading.Event()
    return Worker(study, experiment, WorkFolder(folder), "cpu", drain, showcase=shown).run().accepted


@pytest.fixture
def study(prepared_url: str) -> Iterator[OpenStudy]:
    made = make_study(prepared_url, 4, fake_config())
    yield made
    made.storage.close()


def contents(study: OpenStudy, tmp_path: Path) -> dict[int, dict[str, bytes]]:
    """Number of the trial -> file -> content, by Optuna's own API on a fresh connection."""
    storage = open_storage(study.storage.url_with_password)
    found: dict[int, dict[str, bytes]] = {}
    for trial in optuna.load_study(study_name=study.name, storage=storage.optuna).trials:
        found[trial.number] = {}
        for meta in get_all_artifact_meta(trial, storage=storage.optuna):
            path = Path(tempfile.mkdtemp(dir=tmp_path)) / meta.filename
            download_artifact(artifact_store=AllStores(storage), artifact_id=meta.artifact_id, file_path=str(path))
            found[trial.number][meta.filename] = path.read_bytes()
    storage.close()
    return found


def test_optunas_own_calls_work_on_the_table(study: OpenStudy, tmp_path: Path) -> None:
    (tmp_path / "made.png").write_bytes(b"of a person")
    store = TableStore(study.storage, study.uid)
    theirs = study.load()
    name = upload_artifact(artifact_store=store, file_path=str(tmp_path / "made.png"), study_or_trial=theirs)
    (meta,) = get_all_artifact_meta(theirs)
    assert (meta.artifact_id, meta.filename, meta.mimetype) == (name, "made.png", "image/png")
    download_artifact(artifact_store=store, artifact_id=name, file_path=str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"of a person"
    store.remove(name)
    for refused in (store.open_reader, store.remove, AllStores(study.storage).open_reader):
        with pytest.raises(ArtifactNotFound):
            refused(name)


def test_a_worker_leaves_pictures_notes_and_plots(study: OpenStudy, tmp_path: Path) -> None:
    assert work(study, tmp_path / "work", showcase(study)) == 4
    assert contents(study, tmp_path) == {
        n: {"graph.png": f"graph {n}".encode(), "scores.csv": b"epoch,G1\n1,2.0\n"} for n in range(4)
    }
    theirs = optuna.load_study(study_name="fake", storage=study.storage.optuna)
    note = get_note(theirs)
    assert "**4 of 4 results**" in note and "k = 2: 136 distinct graphs (256 assignments" in note
    assert "max_megabytes: 32.0" in note
    best = max(theirs.trials, key=lambda trial: trial.value or 0.0)
    assert f"luckiest single run is trial {best.number} with {best.value:.3f}" in note
    assert f"IS {best.value:.3f}" in get_note_of(study, best.number)
    plots = get_plotly_graph_objects(theirs._storage.get_study_system_attrs(theirs._study_id))
    assert set(plots) == {"best-so-far", "values"}
    line = next(one for one in json.loads(plots["best-so-far"])["data"] if one["name"] == "best so far")
    values = [trial.value or 0.0 for trial in theirs.trials]
    assert line["y"] == [max(values[: n + 1]) for n in range(4)]


def get_note_of(study: OpenStudy, number: int) -> str:
    """By the dashboard's own reading, on a fresh connection."""
    storage = open_storage(study.storage.url_with_password)
    theirs = optuna.load_study(study_name=study.name, storage=storage.optuna)
    attributes = theirs._storage.get_study_system_attrs(theirs._study_id)
    body = get_note_from_system_attrs(attributes, theirs.trials[number]._trial_id)["body"]
    storage.close()
    return str(body)


def ask(application: Guard, path: str) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body of the answer to a GET of this machine's."""
    path, _, query = path.partition("?")
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "HTTP_HOST": "localhost", "REQUEST_METHOD": "GET"}
    setup_testing_defaults(environ)
    said: list[tuple[str, list[tuple[str, str]]]] = []
    body = b"".join(application(environ, lambda status, headers, *error: said.append((status, headers))))
    return said[0][0], dict(said[0][1]), body


@pytest.mark.slow
def test_two_workers_on_two_work_folders_share_one_table(prepared_postgres_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_postgres_url, 6, fake_config())
    folders = [tmp_path / "one", tmp_path / "two"]
    others = [open_study(open_storage(prepared_postgres_url), "fake") for _ in folders]
    threads = [
        threading.Thread(target=work, args=(other, folder, showcase(other)))
        for other, folder in zip(others, folders, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # As a browser gets them from the dashboard, which finds the store by itself.
    application = Guard(dashboard_application(study.storage))
    status, _, body = ask(application, "/api/studies/1?after=0")
    assert status == "200 OK"
    shown = json.loads(body)
    assert shown["artifacts"] == [] and len(shown["trials"]) == 6
    workers = set()
    for trial in shown["trials"]:
        workers |= {one["value"] for one in trial["user_attrs"] if one["key"] == "worker"}
        there = {one["filename"]: one for one in trial["artifacts"]}
        assert {name: one["mimetype"] for name, one in there.items()} == {
            "graph.png": "image/png",
            "scores.csv": "text/csv",
        }
        picture = there["graph.png"]["artifact_id"]
        status, headers, body = ask(application, f"/artifacts/1/{trial['trial_id']}/{picture}")
        assert (status, body) == ("200 OK", f"graph {trial['number']}".encode())
        assert headers["Content-Type"] == "image/png" and "sandbox" in headers["Content-Security-Policy"]
    assert workers
    assert {number: set(files) for number, files in contents(study, tmp_path).items()} == {
        number: {"graph.png", "scores.csv"} for number in range(6)
    }
    for one in (study, *others):
        one.storage.close()


def test_a_failed_graph_has_a_note_with_the_reasons(prepared_url: str, tmp_path: Path) -> None:
    study = make_study(prepared_url, 1, fake_config(service={"max_faults": 1}))
    with pytest.raises(Exception, match="told to fault"):
        work(study, tmp_path, showcase(study), "fault-on:0")
    assert work(study, tmp_path, showcase(study)) == 1
    assert "the fake experiment was told to fault" in get_note_of(study, 0)
    assert "failed" in get_note(study.load())
    study.storage.close()


@pytest.mark.slow
def test_only_leaders_have_notes_and_a_persons_note_stays(
    prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("colgan_search.search.care.showing.refresh", lambda study, **_: False)
    study = make_study(prepared_url, 24, fake_config())
    save_note(study.load(), "*mine*, of before")
    assert work(study, tmp_path, showcase(study)) == 24
    values = [trial.value or 0.0 for trial in optuna_trials(study.storage.url_with_password)]
    leads = [sum(other > value for other in values[:n]) < 10 for n, value in enumerate(values)]
    assert [bool(get_note_of(study, n)) for n in range(8, 24)] == leads[8:]
    assert not all(leads)
    overview.show(study, study.slots.budget())
    assert get_note(study.load()) == "*mine*, of before"
    plots = get_plotly_graph_objects(study.load()._storage.get_study_system_attrs(study.load()._study_id))
    assert set(plots) == {"best-so-far", "values", "edge-effects"}
    plotly = pytest.importorskip("plotly.io")
    for name, text in plots.items():
        figure = plotly.from_json(text)  # refuses what plotly does not know
        assert len(figure.data) >= 1, name
    study.storage.close()


def test_a_full_table_keeps_the_best_trials_pictures(prepared_url: str) -> None:
    study = make_study(prepared_url, 6, fake_config(artifacts={"max_megabytes": 0.0003}))
    store = store_of(study.config.artifacts, study.storage, study.uid)
    assert isinstance(store, TableStore)
    theirs = study.load()
    kept: dict[int, dict[str, str]] = {}
    for number, value in enumerate([3.0, 1.0, 2.0, 1.5, 0.5, 9.0]):
        # 100 bytes each, and there is room for three
        kept[number] = keep(study, store, number, value, [Picture("a.png", bytes([number]) * 100)])
        trial = theirs.ask()
        theirs.tell(trial, value)
    assert [bool(kept[n]) for n in range(6)] == [True, True, True, True, False, True]

    def content(number: int) -> bytes:
        (key,) = kept[number]
        return AllStores(study.storage).open_reader(key.removeprefix("artifacts:")).read()

    # 1.0 gave way to 1.5, and that to 9.0; 0.5 was never kept.
    for number in (0, 2, 5):
        assert content(number) == bytes([number]) * 100
    for number in (1, 3):
        assert Image.open(io.BytesIO(content(number))).size == (300, 60)
    assert keep(study, store, 6, None, [Picture("a.png", b"x" * 100)]) == {}
    study.storage.close()


def test_trouble_with_pictures_is_said_once_and_loses_nothing(
    study: OpenStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def refusing(number: int, outcome: Outcome, folder: Path) -> list[Picture]:
        raise MemoryError("no room to draw")

    store = store_of(study.config.artifacts, study.storage, study.uid)
    with caplog.at_level(logging.WARNING):
        assert work(study, tmp_path, Showcase(study, store, refusing)) == 4
    assert [trial.state.name for trial in optuna_trials(study.storage.url_with_password)] == ["COMPLETE"] * 4
    assert len([r for r in caplog.records if "no room to draw" in r.getMessage()]) == 1


def test_a_table_that_goes_away_loses_nothing(
    study: OpenStudy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = showcase(study)
    with study.storage.transaction() as db:
        db.execute(sa.text("DROP TABLE colgan_artifacts"))
    with caplog.at_level(logging.WARNING):
        assert work(study, tmp_path, shown) == 4
    assert len([r for r in caplog.records if "pictures for the dashboard not kept" in r.getMessage()]) == 1
    assert "**4 of 4 results**" in get_note(study.load())


@pytest.mark.slow
def test_an_older_database_goes_on_without_the_table_and_the_next_launch_makes_it(
    prepared_url: str, tmp_path: Path
) -> None:
    study = make_study(prepared_url, 4, fake_config())
    with study.storage.transaction() as db:
        tables.artifacts.drop(db)
    study.storage.close()
    storage = open_storage(prepared_url)
    assert not has_table(storage)
    old = open_study(storage, "fake")
    with pytest.raises(DataError, match="has no table for artifacts"):
        store_of(old.config.artifacts, storage, old.uid)
    assert AllStores(storage).stores == []
    target = open_storage(str(tmp_path / "target.db"), create=True)
    copy_study(old, target, "fake").storage.close()
    assert work(old, tmp_path, Showcase(old, None, pictured)) == 4
    storage.close()
    again = make_study(prepared_url, 1, fake_config("again"))
    assert has_table(again.storage)
    assert work(again, tmp_path, showcase(again)) == 1
    assert [set(files) for files in contents(again, tmp_path).values()] == [{"graph.png", "scores.csv"}]
    again.storage.close()


@pytest.mark.slow
def test_a_copy_takes_its_pictures_along(study: OpenStudy, tmp_path: Path, postgres_url: str) -> None:
    work(study, tmp_path / "work", showcase(study))
    target = open_storage(postgres_url, create=True)
    copied = copy_study(study, target, "copied")
    assert contents(copied, tmp_path) == contents(study, tmp_path)
    again = copy_study(study, study.storage, "beside")  # in the same database, under the same ids
    assert contents(again, tmp_path) == contents(study, tmp_path)
    target.close()


def test_a_folder_by_setting(prepared_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    settings = {"store": "folder", "place": str(folder)}
    study = make_study(prepared_url, 2, fake_config(artifacts=settings))
    with pytest.raises(DataError, match="is no folder on this machine"):
        store_of(study.config.artifacts, study.storage, study.uid)
    folder.mkdir()
    store = store_of(study.config.artifacts, study.storage, study.uid)
    assert work(study, tmp_path / "work", Showcase(study, store, pictured)) == 2
    metas = get_all_artifact_meta(study.load().trials[1], storage=study.storage.optuna)
    ours = AllStores(study.storage, [FileSystemArtifactStore(str(folder))])
    assert {meta.filename for meta in metas} == {"graph.png", "scores.csv"}
    for meta in metas:
        assert ours.open_reader(meta.artifact_id).read() == (folder / meta.artifact_id).read_bytes()
    study.storage.close()


def test_a_bucket_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = []
    monkeypatch.setattr(stores, "Boto3ArtifactStore", buckets.append)
    stores.outside(ArtifactSettings(store="s3", place="ours"))
    assert buckets == ["ours"]

    def missing(bucket: str) -> None:
        raise ImportError("boto3")

    monkeypatch.setattr(stores, "Boto3ArtifactStore", missing)
    with pytest.raises(DataError, match="pip install 'colgan-search\\[s3\\]'"):
        stores.outside(ArtifactSettings(store="s3", place="ours"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"store": "folder"}, "needs place: the folder's path"),
        ({"store": "s3"}, "needs place: the bucket's name"),
        ({"place": "/x"}, "place is for store folder or s3"),
        ({"store": "ftp"}, "'database', 'folder', 's3' or 'none'"),
        ({"max_megabytes": -1.0}, "greater than or equal to 0"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=r"artifacts.*" + said):
        fake_config(artifacts=settings)


def test_the_page_asks_for_one_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 trials without replicates the ranking, the effects and the spread of runs all need it; it takes seconds."""
    asked = []
    real = winner.winners_model
    monkeypatch.setattr(winner, "winners_model", lambda seen: asked.append(seen) or real(seen))
    study = make_study(f"sqlite:///{tmp_path / 'study.db'}", 30, fake_config())
    fill(study, 30)
    overview.show(study, study.slots.budget())
    assert len(asked) == 1
    theirs = study.load()
    plots = get_plotly_graph_objects(theirs._storage.get_study_system_attrs(theirs._study_id))
    assert len(plots) == 3 and "What matters" in get_note(theirs)
    study.storage.close()


def test_the_page_is_made_again_as_the_study_grows() -> None:
    made, shown = [], 0
    for done in range(1, 1501):
        if overview.is_due(shown, Budget(1500, done, 0, 1500 - done, 0)):
            made.append(shown := done)
    assert made[:12] == list(range(1, 13)) and made[-1] == 1500 and len(made) < 80
