"""One real PostgreSQL per test process, one fresh database per test; torch on one thread."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from colgan_search import logs
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from tests.postgres import Postgres

os.environ.pop("COLGAN_STORAGE", None)
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A running PostgreSQL server with password authentication on a free local port."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(scope="session")
def prepared_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, to be copied."""
    file = tmp_path_factory.mktemp("prepared") / "prepared.db"
    open_storage(str(file), create=True).close()
    return file


@pytest.fixture(scope="session")
def prepared_database(postgres: Postgres) -> str:
    """The name of a PostgreSQL database with all tables, to be cloned."""
    url = postgres.new_database()
    open_storage(url, create=True).close()
    return str(normalise_url(url).database)


@pytest.fixture(params=["sqlite", "postgresql"])
def prepared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database of each kind that has all tables and no study yet."""
    if request.param == "sqlite":
        file = tmp_path / "study.db"
        shutil.copyfile(request.getfixturevalue("prepared_file"), file)
        return f"sqlite:///{file}"
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(template=request.getfixturevalue("prepared_database"))


@pytest.fixture
def prepared_postgres_url(postgres: Postgres, prepared_database: str) -> str:
    """The URL of a PostgreSQL database that has all tables and no study yet."""
    return postgres.new_database(template=prepared_database)


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """The URL of an empty PostgreSQL database."""
    return postgres.new_database()


@pytest.fixture(autouse=True)
def own_secrets() -> Iterator[None]:
    """Passwords that one test makes this process hide are not hidden in the next one's output."""
    before = set(logs._secrets)
    yield
    logs._secrets.clear()
    logs._secrets.update(before)
