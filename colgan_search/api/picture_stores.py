"""Where the pictures of trials are found on this machine: in the database, and where it says."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from colgan_search.api.own_files import require_written
from colgan_search.config.artifacts import ArtifactSettings
from colgan_search.errors import ColganError
from colgan_search.search.artifacts.stores import AllStores, outside
from colgan_search.search.database.storage import Storage
from colgan_search.search.study.opening import OpenStudy, open_study, our_study_names

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore


def permitted(settings: ArtifactSettings, study: str) -> "ArtifactStore":
    """The folder or the bucket that a study's config in the database names. DataError if it cannot be had, or if nobody
    has said on this machine that the folder may be used."""
    if settings.store == "folder" and settings.place is not None:
        require_written(settings.place, f"study {study!r}: its config in the database")
    return outside(settings)


def stores_of(study: OpenStudy, say: Callable[[str], None]) -> AllStores:
    """All that can be read here of the study's; `say` hears why one cannot."""
    others: list[ArtifactStore] = []
    if study.config.artifacts.place is not None:
        try:
            others = [permitted(study.config.artifacts, study.name)]
        except ColganError as error:
            say(f"no pictures of other machines: {error}")
    return AllStores(study.storage, others)


def other_stores(storage: Storage, say: Callable[[str], None]) -> "list[ArtifactStore]":
    """The folders and buckets of the database's studies; `say` is told of those that cannot be read here."""
    found: dict[tuple[str, str | None], ArtifactStore] = {}
    for name in our_study_names(storage):
        try:
            settings = open_study(storage, name).config.artifacts
            if settings.place is not None and (settings.store, settings.place) not in found:
                found[settings.store, settings.place] = permitted(settings, name)
        except ColganError as error:
            say(f"study {name}: no pictures: {error}")
    return list(found.values())
