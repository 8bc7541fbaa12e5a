"""Optuna's storage on an engine of ours, and the version of its tables."""

from collections.abc import Callable
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages import BaseStorage, RDBStorage, _CachedStorage


def new_backend(url: str, connect: Callable[[], Any], *, create: bool) -> RDBStorage:
    """Optuna's storage with connections from `connect`. `url` names the driver alone; with `create` makes tables."""
    return RDBStorage(
        url,
        engine_kwargs={"creator": connect},
        skip_table_creation=not create,
        skip_compatibility_check=True,
    )


def use_engine(backend: RDBStorage, engine: sa.Engine) -> None:
    """From now on `backend` works through `engine`; its own has no connection left."""
    backend.engine.dispose()
    backend.engine = backend._version_manager.engine = engine
    backend.scoped_session.configure(bind=engine)


def with_cache(backend: RDBStorage) -> BaseStorage:
    """The backend behind Optuna's cache of finished trials."""
    return optuna.storages.get_storage(backend)


def check_tables(cached: BaseStorage, another_engine: Callable[[], sa.Engine]) -> None:
    """RuntimeError if Optuna's tables are of a version that this Optuna cannot work with.

    `another_engine` has more than one connection: Optuna takes a second one within the first.
    """
    assert isinstance(cached, _CachedStorage)
    versions = cached._backend._version_manager
    if versions.get_current_version() != versions.get_head_version():
        versions.engine = another_engine()
        versions.check_table_schema_compatibility()
