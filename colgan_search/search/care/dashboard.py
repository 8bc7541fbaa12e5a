"""Optuna's own web application on a study's storage. It knows no login: see `api.guarding`."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import optuna_dashboard

from colgan_search.search.artifacts.stores import AllStores
from colgan_search.search.database.storage import Storage

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore


def dashboard_application(storage: Storage, others: "Sequence[ArtifactStore]" = ()) -> Callable[..., Iterable[bytes]]:
    """The WSGI application; importing it takes seconds. Pictures come from the database, and then from `others`."""
    application: Any = optuna_dashboard.wsgi(storage.optuna, artifact_store=AllStores(storage, others))
    return application  # type: ignore[no-any-return]
