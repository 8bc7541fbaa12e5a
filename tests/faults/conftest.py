"""A PostgreSQL of its own for tests that stop it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from tests.postgres import Postgres


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder starts, stops or kills real processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def frail_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that tests may stop; they start it again."""
    server = Postgres(tmp_path_factory.mktemp("frail"))
    server.start()
    yield server
    server.stop("immediate")


@pytest.fixture(scope="session")
def frail_prepared(frail_postgres: Postgres) -> str:
    """The name of a database on it with all tables, to be cloned."""
    url = frail_postgres.new_database()
    open_storage(url, create=True).close()
    return str(normalise_url(url).database)


@pytest.fixture
def frail_url(frail_postgres: Postgres, frail_prepared: str) -> Iterator[str]:
    """The URL of a database on it that has all tables and no study yet."""
    yield frail_postgres.new_database(template=frail_prepared)
    if not frail_postgres.running:  # a failed test may leave it stopped
        frail_postgres.start()
