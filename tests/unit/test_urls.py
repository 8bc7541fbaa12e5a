"""The URL of a study's database in every usual form; its passwords are shown nowhere."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from colgan_search.errors import StorageError
from colgan_search.search.database.urls import hide_password, normalise_url, passwords
from tests.postgres import PASSWORD

QUOTED = "p%40ss%3Aw%2Frd%251"
"""PASSWORD in %-form, written by hand."""


@pytest.mark.parametrize(
    "text",
    [
        f"postgres://me:{QUOTED}@host:5433/db",
        f"postgresql://me:{QUOTED}@host:5433/db",
        f"postgresql+psycopg://me:{QUOTED}@host:5433/db",
        f"postgresql+psycopg2://me:{QUOTED}@host:5433/db",
        f"  postgresql://me:{QUOTED}@host:5433/db\n",
        f"postgresql://me@host:5433/db?password={QUOTED}",
        f"host=host port=5433 user=me password={PASSWORD} dbname=db",
        f"dbname='db' user='me' host='host' port='5433' password='{PASSWORD}'",
    ],
)
def test_every_usual_form_of_a_postgresql_url_is_the_same_url(text: str) -> None:
    url = normalise_url(text)
    assert url == sa.URL.create("postgresql+psycopg2", "me", PASSWORD, "host", 5433, "db")
    shown = hide_password(url)
    assert shown == "postgresql+psycopg2://me:***@host:5433/db"
    assert passwords(url) == [PASSWORD]


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("postgresql:///db?host=/var/run/postgresql", "/var/run/postgresql"),
        ("host=/var/run/postgresql dbname=db", "/var/run/postgresql"),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/db", "/var/run/postgresql"),
    ],
)
def test_unix_sockets(text: str, host: str) -> None:
    arguments = normalise_url(text).get_dialect()().create_connect_args(normalise_url(text))[1]
    assert arguments["host"] == host and arguments["dbname"] == "db"


def test_parameters_of_the_url_are_kept_and_no_password_among_them_is_shown() -> None:
    url = normalise_url("postgresql://me:one@h/db?sslmode=verify-full&sslpassword=two&password=three")
    shown = hide_password(url)
    assert url.query["sslmode"] == "verify-full" and "password" not in url.query
    assert url.password == "three" and set(passwords(url)) == {"three", "two"}
    assert not any(secret in shown for secret in ("one", "two", "three"))


@pytest.mark.parametrize("name", ["a.db", "a.sqlite", "a.sqlite3", "sqlite:///a.db", "sqlite+pysqlite:///a.db"])
def test_sqlite_files_by_path_and_by_url(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = normalise_url(name)
    assert (url.drivername, Path(str(url.database)).parent) == ("sqlite", tmp_path)


def test_a_sqlite_file_may_have_at_signs_in_its_path(tmp_path: Path) -> None:
    assert normalise_url(f"sqlite:///{tmp_path}/a@b/c@d.db").database == f"{tmp_path}/a@b/c@d.db"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a URL"),
        ("study", "not a URL"),
        ("mysql://me:secret@h/db", "unknown kind 'mysql'"),
        ("postgresql://me:secret@h", "names no database"),
        ("postgresql://me:se@cret@h/db", "more than one '@'"),
        ("postgresql://me:secret@h:54x2/db", "not a URL"),
        ("host=h password=secret", "no dbname"),
        ("host=h colour=red dbname=db password=secret", "neither a URL nor libpq"),
        ("host=a,b port=1,2 dbname=db password=secret", "no one port"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite://study.db", "name a file: sqlite:///FILE.db"),
        ("sqlite://folder/study.db", "three slashes"),
        ("sqlite:///file:study.db?mode=ro&uri=true", "three slashes"),
    ],
)
def test_what_is_no_storage_is_refused_without_repeating_a_password(text: str, says: str) -> None:
    with pytest.raises(StorageError, match=says) as caught:
        normalise_url(text)
    assert "secret" not in str(caught.value) and "se@cret" not in str(caught.value) and "cret@" not in str(caught.value)
