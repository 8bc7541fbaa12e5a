"""Another name for a study, in every row that names it; its confirmations go along."""

import json
from contextlib import ExitStack
from typing import Any

from colgan_search.config import StudyConfig, fingerprint, parse_config
from colgan_search.errors import StudyError
from colgan_search.search import trust
from colgan_search.search.care.dead_workers import release_dead
from colgan_search.search.care.drained import require_drained
from colgan_search.search.database.storage import Storage
from colgan_search.search.optuna_private import study_rows
from colgan_search.search.proposing.race import is_race
from colgan_search.search.ranking.confirmed import alone_name, races_of
from colgan_search.search.study.opening import CONFIG, FINGERPRINT, OpenStudy, open_study, study_names
from colgan_search.search.study.trial_attributes import REUSED


def rename_study(study: OpenStudy, name: str) -> dict[str, str]:
    """Renames the study, and its confirmations where their names begin with its own. Old name -> new name of each.

    Trials that other studies have taken over from them name them anew. StudyError, and nothing changed, if workers are
    at one of the studies, or if a name is taken.
    """
    storage = study.storage
    races = races_of(study)
    names = {study.name: trust.study_name(name)}
    for old in [one for race in races for one in (race.name, alone_name(race.name))]:
        if old.startswith(f"{study.name}-"):
            names[old] = trust.study_name(f"{name}{old.removeprefix(study.name)}")
    there = study_names(storage)
    names = {old: new for old, new in names.items() if old in there}
    with ExitStack() as locks:
        for one in sorted({*names, *names.values()}):  # in one order, or two of these could wait for each other
            locks.enter_context(storage.lock(f"study {one}"))
        for old, new in names.items():
            if new in study_names(storage):
                raise StudyError(f"{storage.name}: there is a study {new!r} already; name it otherwise")
            opened = open_study(storage, old)
            release_dead(opened)
            require_drained(opened)
        _write(storage, names, races)
    return names


def _write(storage: Storage, names: dict[str, str], races: list[OpenStudy]) -> None:
    """All rows, in one transaction."""
    touched = {*names, *(race.name for race in races)}
    with storage.transaction() as db:
        configs = study_rows.attributes(db, CONFIG)
        for name in sorted(touched):
            number = study_rows.id_of(db, name)
            if number is None or number not in configs:
                raise StudyError(f"{storage.name}: study {name!r} was deleted or renamed by another process")
            study_rows.rename(db, number, names.get(name, name))
            where = f"study {name!r}"
            config = _config(trust.from_json(configs[number], where), names, where)
            study_rows.set_attribute(db, number, CONFIG, config.model_dump(mode="json"))
            study_rows.set_attribute(db, number, FINGERPRINT, fingerprint(config))  # a race's names its search
        for row, text in study_rows.trials_attributes(db, REUSED):
            origin = trust.from_json(text, f"a trial's {REUSED}")
            if isinstance(origin, dict) and origin.get("study") in names:
                study_rows.set_trials_attribute(db, row, {**origin, "study": names[origin["study"]]})


def _config(data: Any, names: dict[str, str], where: str) -> StudyConfig:
    """The study's config with the new names in it."""
    config = parse_config(data, where)
    data = json.loads(config.model_dump_json())
    data["name"] = names.get(data["name"], data["name"])
    if is_race(config):
        settings = data["search"]["sampler_settings"]
        settings["study"] = names.get(settings["study"], settings["study"])
    return parse_config(data, where)
