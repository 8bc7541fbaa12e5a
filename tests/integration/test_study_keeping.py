"""`rename` and `delete`, seen by Optuna's own API and by the tables themselves."""

import json
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa

from colgan_search.cli.app import run
from colgan_search.search.care.reusing import reuse
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.tables import artifacts
from colgan_search.search.ranking.confirmed import alone_name
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.search.study.shared_files import SharedFiles
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import fake_study, fill


def _names(url: str) -> list[str]:
    storage = open_storage(url)
    try:
        return sorted(optuna.get_all_study_names(storage.optuna))
    finally:
        storage.close()


def _rows(study: OpenStudy) -> dict[str, int]:
    """Rows of every table of the database but those of versions."""
    metadata = sa.MetaData()
    metadata.reflect(study.storage.engine)
    with study.storage.engine.connect() as db:
        return {
            name: int(db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())
            for name, table in metadata.tables.items()
            if name not in ("version_info", "alembic_version", "colgan_schema")
        }


@pytest.fixture
def study(prepared_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """A study of three results in the database that COLGAN_STORAGE names, with files of this machine."""
    monkeypatch.setenv("COLGAN_STORAGE", prepared_url)
    monkeypatch.chdir(tmp_path)
    made = fake_study(prepared_url, fake_config("digits"), total=3, done=3)
    weights = tmp_path / "classifier-ab.safetensors"
    weights.write_bytes(bytes(8))
    assert SharedFiles(made).push([weights])
    run_folder = tmp_path / "colgan_work" / "digits" / "trial-00001"
    run_folder.mkdir(parents=True)
    (run_folder / "generators.safetensors").write_bytes(bytes(2048))
    return made


def _race(url: str, name: str, of: str) -> OpenStudy:
    race = {
        "study": of,
        "trials": 1,
        "epochs": 1,
        "candidates": [{"graph": "G1=D:t/G2=D:t", "estimate": 1.0, "luckiest": 1.0}],
    }
    return make_study(url, 2, fake_config(name, search={"sampler": "race", "sampler_settings": race}))


def test_delete_leaves_nothing_of_it_and_the_others_whole(
    study: OpenStudy, prepared_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = fake_study(prepared_url, fake_config("other"), total=2, done=2)
    before = results.trials(other)
    assert run(["delete", "digits", "--yes"]) == 0
    said = capsys.readouterr()
    assert "3 trials, 3 results" in said.out
    assert f"{tmp_path / 'colgan_work' / 'digits'} stays: 1 files, 2.0 KiB" in said.out
    assert _names(prepared_url) == ["other"]
    assert results.trials(other) == before
    assert (tmp_path / "colgan_work" / "digits" / "trial-00001" / "generators.safetensors").exists()
    assert run(["delete", "other", "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"] == 2
    assert {name: count for name, count in _rows(study).items() if count} == {}


def test_delete_asks_and_takes_no_silence_for_a_yes(
    study: OpenStudy, prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["delete", "digits"]) == 2  # nobody sits at this standard input
    assert "Delete study digits with its 3 results for good? Add --yes" in capsys.readouterr().err
    assert run(["delete", "digit", "--yes"]) == 2
    assert "there is no study 'digit'; it holds: digits" in capsys.readouterr().err
    assert len(results.completed(study)) == 3


def test_delete_and_rename_are_refused_with_a_worker_at_it(
    prepared_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = fake_config("digits", service={"lease_seconds": 600.0})  # longer than commands take on a busy machine
    study = fake_study(prepared_url, config, total=4, done=1)
    claim = study.slots.claim("elsewhere:7:00000001", 600.0)
    assert claim is not None
    for command in (["delete", "digits", "--yes"], ["rename", "digits", "second"]):
        assert run([*command, "--storage", prepared_url]) == 2
        assert "elsewhere:7:00000001; drain them first" in capsys.readouterr().err
    assert _names(prepared_url) == ["digits"]
    assert run(["delete", "digits", "--yes", "--force", "--storage", prepared_url]) == 0
    assert _names(prepared_url) == [] and not study.slots.renew(claim, 60.0)


def test_a_study_of_another_version_or_of_a_broken_config_can_be_deleted(
    study: OpenStudy, prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = optuna.load_study(study_name="digits", storage=study.storage.optuna)
    theirs.set_user_attr("version", "0.0.1")
    theirs.set_user_attr("config", {"no": "config"})
    optuna.create_study(study_name="another-programs", storage=study.storage.optuna)
    assert run(["delete", "another-programs", "--yes"]) == 2
    assert "colgan-search did not make" in capsys.readouterr().err
    assert run(["delete", "digits", "--yes"]) == 0
    assert _names(prepared_url) == ["another-programs"]


def test_a_database_from_before_the_table_of_artifacts(study: OpenStudy, prepared_url: str) -> None:
    artifacts.drop(study.storage.engine)
    assert run(["delete", "digits", "--yes"]) == 0
    assert _names(prepared_url) == []


def test_the_pictures_of_a_study_go_with_it(study: OpenStudy, prepared_url: str) -> None:
    picture = {"uid": study.uid, "artifact": "a", "trial_number": 1, "bytes": 3, "content": b"png"}
    with study.storage.transaction() as db:
        db.execute(artifacts.insert().values([picture, {**picture, "uid": "0" * 32}]))
    assert run(["delete", "digits", "--yes"]) == 0
    with study.storage.engine.connect() as db:
        assert db.execute(sa.select(artifacts.c.uid)).scalars().all() == ["0" * 32]


def test_rename_goes_through_every_row_and_the_folder(
    study: OpenStudy, prepared_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = make_study(prepared_url, 2, fake_config("second", seed=8))
    assert reuse(second, study).taken == 3
    race = _race(prepared_url, "digits-confirm", of="digits")
    make_study(prepared_url, 1, fake_config(alone_name(race.name)))
    _race(prepared_url, "of-another-name", of="digits")
    before = [trial.as_dict() for trial in results.trials(study)]
    assert run(["rename", "digits", "numbers", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "names": {
            "digits": "numbers",
            "digits-confirm": "numbers-confirm",
            alone_name("digits-confirm"): alone_name("numbers-confirm"),
        },
        "folders": ["numbers"],
    }
    assert _names(prepared_url) == [*sorted([*told["names"].values(), "of-another-name", "second"])]
    renamed = open_study(study.storage, "numbers")
    assert (renamed.uid, renamed.config.name) == (study.uid, "numbers")
    assert [trial.as_dict() for trial in results.trials(renamed)] == before
    for name in ("numbers-confirm", "of-another-name"):  # opened: the fingerprint is theirs
        assert open_study(study.storage, name).config.search.sampler_settings.study == "numbers"  # type: ignore[union-attr]
    assert {trial.user_attrs["reused_from"]["study"] for trial in second.load().trials} == {"numbers"}
    assert (tmp_path / "colgan_work" / "numbers" / "trial-00001" / "generators.safetensors").exists()
    assert not (tmp_path / "colgan_work" / "digits").exists()
    study.slots.set_total(4)
    fill(renamed, 1)
    assert len(results.completed(renamed)) == 4


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["digits", "other"], "there is a study 'other' already"),
        (["digits", "../x"], "not a study's name"),
        (["digits", "digits"], "there already"),
        (["nothing", "new"], "there is no study 'nothing'"),
        (["digits", "left-behind"], "left-behind is there already"),
    ],
)
def test_a_rename_that_cannot_be_changes_nothing(
    names: list[str], said: str, study: OpenStudy, prepared_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(prepared_url, 1, fake_config("other"))
    (Path("colgan_work") / "left-behind").mkdir()
    assert run(["rename", *names]) == 2
    assert said in capsys.readouterr().err
    assert _names(prepared_url) == ["digits", "other"]
    assert Path("colgan_work/digits/trial-00001").is_dir()
