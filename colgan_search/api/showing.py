"""What workers leave for the dashboard."""

import logging

from colgan_search.api.own_files import require_written
from colgan_search.api.trial_pictures import TrialPictures
from colgan_search.config import StudyConfig
from colgan_search.errors import ColganError
from colgan_search.search.artifacts.stores import store_of
from colgan_search.search.care.showing import Showcase
from colgan_search.search.study.opening import OpenStudy

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
