"""Optuna's own web application on a study's storage. It knows no login: see `api.guarding`."""

from collections.abc import Callable, Iterable
from typing import Any

import optuna_dashboard

from colgan_search.search.database.storage import Storage


def dashboard_application(storage: Storage) -> Callable[..., Iterable[bytes]]:
    """The WSGI application; importing it takes seconds."""
    application: Any = optuna_dashboard.wsgi(storage.optuna)
    return application  # type: ignore[no-any-return]
