"""The URL of a study's database, in every usual form, and the passwords in it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import psycopg2
import psycopg2.extensions
import sqlalchemy as sa

from colgan_search import logs
from colgan_search.errors import StorageError

FORMS = "postgresql://USER:PASSWORD@HOST:5432/DATABASE or sqlite:///FILE.db"


def normalise_url(text: str) -> sa.URL:
    """The SQLAlchemy URL of any usual form: postgres://, postgresql[+driver]://, a libpq `host=... dbname=...`
    string, sqlite:///FILE, or the path of a .db or .sqlite file. StorageError for any other."""
    text = text.strip()
    if "://" not in text and "=" in text:
        return _from_keywords(text)
    if "://" not in text and Path(text).suffix in (".db", ".sqlite", ".sqlite3"):
        return sa.URL.create("sqlite", database=str(Path(text).resolve()))
    if text.startswith("postgres") and text.partition("?")[0].count("@") > 1:
        # Part of the password would be read as the host, and shown in errors.
        raise StorageError(f"the storage's URL has more than one '@'; write {FORMS} (in a password, @ is %40)")
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        # The text itself may hold a password and is not repeated.
        raise StorageError(f"the storage is not a URL; write {FORMS} (special characters in %-form)") from None
    kind = url.drivername.split("+")[0]
    if kind in ("postgres", "postgresql"):
        if not url.database:
            raise StorageError(f"{hide_password(url)}: names no database; write {FORMS}")
        query = dict(url.query)
        password = query.pop("password", url.password)
        if url.host is not None and url.host.lower().startswith("%2f"):  # libpq's form of a Unix socket's folder
            query["host"] = unquote(url.host)
            url = url._replace(host=None)
        return url.set(drivername="postgresql+psycopg2", query=query, password=_one(password))
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise StorageError("SQLite in memory cannot be shared between processes; name a file: sqlite:///FILE.db")
        if url.host or url.query or url.database.startswith("file:"):
            raise StorageError("an SQLite URL is sqlite:///FILE.db, with three slashes and without parameters")
        return url.set(drivername="sqlite", database=str(Path(url.database).resolve()))
    raise StorageError(f"storage of unknown kind {kind!r}; write {FORMS}")


def _one(value: Any) -> str | None:
    return str(value[0] if isinstance(value, tuple) else value) if value is not None else None


def _from_keywords(text: str) -> sa.URL:
    """The URL of libpq's keyword form, e.g. `host=db dbname=colgan user=me`."""
    try:
        words = psycopg2.extensions.parse_dsn(text)
    except psycopg2.ProgrammingError:
        raise StorageError(f"the storage is neither a URL nor libpq keywords; write {FORMS}") from None
    database = words.pop("dbname", None)
    if not database:
        raise StorageError("the storage's keywords name no dbname; write host=HOST dbname=DATABASE user=USER")
    port = words.pop("port", None)
    if port is not None and not port.isdecimal():
        raise StorageError("the storage's keywords name no one port; write host=HOST port=5432 dbname=DATABASE")
    return sa.URL.create(
        "postgresql+psycopg2",
        username=words.pop("user", None),
        password=words.pop("password", None),
        host=words.pop("host", None),
        port=int(port) if port else None,
        database=database,
        query=words,
    )


def hide_password(url: sa.URL) -> str:
    """The URL as text, with *** for the password and for that of a TLS key."""
    if "sslpassword" in url.query:
        url = url.update_query_dict({"sslpassword": logs.HIDDEN})
    return url.render_as_string(hide_password=True)


def for_other_machines(text: str) -> tuple[str, str | None]:
    """The URL without its password, and the password, of the URL or the environment, for programs on other machines.

    StorageError for an SQLite file, which they cannot share, and for a TLS key's password, which has no place.
    """
    url = normalise_url(text)
    if url.get_backend_name() == "sqlite":
        raise StorageError(
            f"{hide_password(url)}: SQLite serves one machine, and the workers would be on others; "
            "name a PostgreSQL database: `storage` postgresql://USER@HOST/DATABASE"
        )
    if "sslpassword" in url.query:
        raise StorageError(f"{hide_password(url)}: sslpassword cannot be handed on; use a TLS key without a password")
    plain = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return plain, _one(url.password) or os.environ.get("PGPASSWORD") or None


def passwords(url: sa.URL) -> list[str]:
    """Every password in the URL, and that of the environment."""
    found = (url.password, url.query.get("sslpassword"), os.environ.get("PGPASSWORD"))
    return [text for text in map(_one, found) if text is not None]
