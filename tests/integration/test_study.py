"""Studies: made once, opened by anybody who fits, refused to everybody else."""

import optuna
import pytest
import sqlalchemy as sa

from colgan_search.config import fingerprint, with_overrides
from colgan_search.errors import StudyError
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy, create_or_open, open_study, study_names
from tests.fleet import fake_config, rows_of


@pytest.fixture
def study(storage: Storage) -> OpenStudy:
    return create_or_open(storage, fake_config(), "fake", 3)


def test_a_study_keeps_its_config_and_budget(storage: Storage, study: OpenStudy) -> None:
    again = open_study(storage, "fake")
    assert (again.uid, again.config) == (study.uid, fake_config())
    assert again.slots.budget().total == 3
    seen = optuna.load_study(study_name="fake", storage=storage.optuna)
    assert seen.direction == optuna.study.StudyDirection.MAXIMIZE
    assert seen.metric_names == ["max IS"]
    assert seen.user_attrs["fingerprint"] == fingerprint(fake_config())


def test_the_same_config_opens_it_and_keeps_its_total(storage: Storage, study: OpenStudy) -> None:
    again = create_or_open(storage, fake_config(), "fake", 99)
    assert again.uid == study.uid and again.slots.budget().total == 3


def test_settings_that_change_no_result_follow_the_latest_launch(storage: Storage, study: OpenStudy) -> None:
    changed = fake_config(service={"lease_seconds": 50.0})
    create_or_open(storage, changed, "fake", 3)
    assert open_study(storage, "fake").config.service.lease_seconds == 50.0


def test_another_config_is_refused_with_what_differs(storage: Storage, study: OpenStudy) -> None:
    other = with_overrides(fake_config(), {"training.epochs": 3})
    for attempt in (lambda: create_or_open(storage, other, "fake", 3), lambda: open_study(storage, "fake", other)):
        with pytest.raises(StudyError, match=r"(?s)They differ.*training\.epochs: 3 \| 50"):
            attempt()
    assert open_study(storage, "fake").config == fake_config()


def test_an_unknown_study_names_the_known_ones(storage: Storage, study: OpenStudy) -> None:
    with pytest.raises(StudyError, match="there is no study 'fake2'; it holds: fake"):
        open_study(storage, "fake2")


def test_another_version_is_refused(storage: Storage, study: OpenStudy) -> None:
    study.load().set_user_attr("version", "0.0.1")
    for attempt in (
        lambda: open_study(storage, "fake"),
        lambda: create_or_open(storage, fake_config(), "fake", 3),
    ):
        with pytest.raises(StudyError, match=r"was made by colgan-search 0\.0\.1"):
            attempt()


def test_a_config_changed_by_hand_is_refused(storage: Storage, study: OpenStudy) -> None:
    config = fake_config().model_dump(mode="json")
    config["training"]["epochs"] = 1
    study.load().set_user_attr("config", config)
    with pytest.raises(StudyError, match="it was changed in the database"):
        open_study(storage, "fake")


class TestForeignStudies:
    def test_one_with_trials_is_not_ours(self, storage: Storage) -> None:
        optuna.create_study(storage=storage.optuna, study_name="fake", direction="maximize").ask()
        assert self._refusals(storage) == 2

    def test_one_with_attributes_is_not_ours(self, storage: Storage) -> None:
        theirs = optuna.create_study(storage=storage.optuna, study_name="fake", direction="maximize")
        theirs.set_user_attr("owner", "me")
        assert self._refusals(storage) == 2

    def test_one_that_minimises_is_not_ours(self, storage: Storage) -> None:
        optuna.create_study(storage=storage.optuna, study_name="fake")
        assert self._refusals(storage) == 2

    def _refusals(self, storage: Storage) -> int:
        attempts = (lambda: open_study(storage, "fake"), lambda: create_or_open(storage, fake_config(), "fake", 3))
        refusals = 0
        for attempt in attempts:
            with pytest.raises(StudyError, match="colgan-search did not make"):
                attempt()
            refusals += 1
        return refusals


@pytest.mark.parametrize("stop_after", ["create_study", "begin_study", "config", "fingerprint", "version"])
def test_a_study_that_was_cut_short_is_made_whole(
    storage: Storage, stop_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its maker dies at each step in turn; the next one finishes the work."""

    class Died(BaseException):
        pass

    real = optuna.Study.set_user_attr
    real_names = optuna.Study.set_metric_names

    def set_user_attr(self: optuna.Study, key: str, value: object) -> None:
        real(self, key, value)
        if key == stop_after:
            raise Died

    def set_metric_names(self: optuna.Study, names: list[str]) -> None:
        if stop_after == "begin_study":
            raise Died
        real_names(self, names)

    def begin_study(self: object, total: int) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(optuna.Study, "set_user_attr", set_user_attr)
        patch.setattr(optuna.Study, "set_metric_names", set_metric_names)
        if stop_after == "create_study":
            patch.setattr("colgan_search.search.budget.slots.Slots.begin_study", begin_study)
        with pytest.raises(Died):
            create_or_open(storage, fake_config(), "fake", 3)
    with pytest.raises(StudyError):
        open_study(storage, "fake")
    study = create_or_open(storage, fake_config(), "fake", 3)
    assert open_study(storage, "fake").uid == study.uid
    assert study.slots.budget().total == 3 and study_names(storage) == ["fake"]


def test_a_deleted_study_is_noticed(storage: Storage, study: OpenStudy) -> None:
    optuna.delete_study(study_name="fake", storage=storage.optuna)
    with pytest.raises(StudyError, match="was deleted while it was in use"):
        study.load()


def test_a_study_made_anew_under_the_name_is_not_mistaken_for_the_old_one(storage: Storage, study: OpenStudy) -> None:
    claim = study.slots.claim("w", 60.0)
    assert claim is not None
    optuna.delete_study(study_name="fake", storage=storage.optuna)
    new = create_or_open(storage, fake_config(), "fake", 7)
    assert new.uid != study.uid and new.slots.budget().total == 7
    with pytest.raises(StudyError, match="was deleted while it was in use"):
        propose.assign(study, claim)
    assert new.load().trials == []


def test_two_studies_in_one_database(storage: Storage, study: OpenStudy) -> None:
    other = create_or_open(storage, fake_config("other", seed=8), "other", 9)
    assert study_names(storage) == ["fake", "other"]
    assert (study.slots.budget().total, other.slots.budget().total) == (3, 9)


def test_no_password_is_kept_in_the_study(prepared_postgres_url: str) -> None:
    opened = open_storage(prepared_postgres_url)
    create_or_open(opened, fake_config(), "fake", 3)
    with opened.engine.connect() as db:
        names = sa.inspect(db).get_table_names()
    opened.close()
    text = repr([rows_of(prepared_postgres_url, f"SELECT * FROM {name}") for name in names])
    assert "fake" in text and "p@ss" not in text and "p%40ss" not in text
