"""What workers leave for the dashboard, and where the dashboard finds it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from colgan_search.api.own_files import require_written
from colgan_search.api.trial_pictures import TrialPictures
from colgan_search.config import StudyConfig
from colgan_search.errors import ColganError
from colgan_search.search.artifacts.stores import outside, store_of
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database.storage import Storage
from colgan_search.search.study.opening import OpenStudy, open_study, our_study_names

if TYPE_CHECKING:
    from colgan_search.search.artifacts.stores import ArtifactStore

log = logging.getLogger(__name__)


def showcase_of(study: OpenStudy, given: StudyConfig | None) -> Showcase | None:
    """What a worker shows of its trials; None if the study's config wants nothing shown.

    A store that cannot be had here is a warning, and no reason not to work. `given`: the config as it was given on
    this machine, whose folder may be written to.
    """
    settings = study.config.artifacts
    if settings.store == "none":
        return None
    store = None
    try:
        if settings.store == "folder" and settings.place is not None and (given is None or given.artifacts != settings):
            require_written(settings.place, f"study {study.name!r}: its config in the database")
        store = store_of(settings, study.storage, study.uid)
    except ColganError as error:
        log.warning("no pictures for the dashboard: %s", error)
    return Showcase(study, store, TrialPictures(study.config))


def other_stores(storage: Storage, say: Callable[[str], None]) -> "list[ArtifactStore]":
    """The folders and buckets of the database's studies; `say` is told of those that cannot be read here."""
    found: dict[tuple[str, str | None], ArtifactStore] = {}
    for name in our_study_names(storage):
        try:
            settings = open_study(storage, name).config.artifacts
            if settings.store not in ("folder", "s3") or (settings.store, settings.place) in found:
                continue
            if settings.store == "folder" and settings.place is not None:
                require_written(settings.place, f"study {name!r}: its config in the database")
            found[settings.store, settings.place] = outside(settings)
        except ColganError as error:
            say(f"study {name}: no pictures: {error}")
    return list(found.values())
