"""A study: an Optuna study that keeps its own config, fingerprint and version, and the slots beside it."""

import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial
from pydantic import TypeAdapter

from colgan_search.config import StudyConfig, differences, fingerprint, members_used, parse_config, require_members
from colgan_search.errors import StudyError
from colgan_search.past_versions import wrong_with
from colgan_search.search import trust
from colgan_search.search.budget.slots import Slots
from colgan_search.search.database.storage import Storage
from colgan_search.search.optuna_private import handles
from colgan_search.version import __version__

UID, CONFIG, FINGERPRINT, VERSION, MEMBERS = "uid", "config", "fingerprint", "version", "members"
"""Names of the Optuna study's user attributes."""

WORD = TypeAdapter[str](trust.Word)
WORDS = TypeAdapter[Mapping[str, str]](dict[trust.Word, trust.Word])


@dataclass(frozen=True)
class OpenStudy:
    """A study that was found in the database and fits this package."""

    storage: Storage
    name: str
    uid: str
    config: StudyConfig

    @property
    def slots(self) -> Slots:
        """Its budget."""
        return Slots(self.storage, self.uid)

    def load(self, sampler: optuna.samplers.BaseSampler | None = None) -> optuna.Study:
        """Its Optuna study. StudyError if it has been deleted (or deleted and made anew) since it was opened."""
        with trust.reading(f"study {self.name!r}"):
            try:
                study = optuna.load_study(study_name=self.name, storage=self.storage.optuna, sampler=sampler)
                if study.user_attrs.get(UID) == self.uid:
                    return study
            except KeyError:
                pass
        raise StudyError(f"{self.storage.name}: study {self.name!r} was deleted while it was in use")

    def trials(self) -> list[FrozenTrial]:
        """Its Optuna trials, in the order of their numbers. StudyError as well if they cannot be read."""
        optuna_study = self.load()
        with trust.reading(f"study {self.name!r}: its trials"):
            found = optuna_study.get_trials(deepcopy=False)
            if not all(isinstance(name, str) for trial in found for name in trial.params):
                raise TypeError("the name of a parameter is no text")
            return found

    def trial(self, optuna_study: optuna.Study, number: int) -> FrozenTrial:
        """Trial `number` as it is now. StudyError if there is none, or if it cannot be read."""
        try:
            with trust.reading(f"study {self.name!r}: trial {number}"):
                return handles.trial_of(optuna_study, number)
        except StudyError:
            self.load()  # another error if the trials are gone because the study is
            raise


def create_or_open(storage: Storage, config: StudyConfig, name: str, total: int) -> OpenStudy:
    """The study `name`, made with `total` results if it is not there; StudyError if it has another config."""
    with storage.lock(f"study {name}"):
        if name in study_names(storage):
            with trust.reading(f"{storage.name}: study {name!r}"):
                study = optuna.load_study(study_name=name, storage=storage.optuna)
                cut_short = _was_cut_short(study, direction_of(config))
            if not cut_short:
                opened = open_study(storage, name, config)
                # Settings outside the fingerprint (where and how fast) follow the latest launch.
                study.set_user_attr(CONFIG, _kept(config))
                return OpenStudy(storage, name, opened.uid, config)
        else:
            study = optuna.create_study(storage=storage.optuna, study_name=name, direction=direction_of(config))
        uid = uuid.uuid4().hex
        Slots(storage, uid).begin_study(total)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([config.objective.words])
        study.set_user_attr(CONFIG, _kept(config))
        study.set_user_attr(FINGERPRINT, fingerprint(config))
        study.set_user_attr(VERSION, __version__)
        study.set_user_attr(MEMBERS, members_used(config))
        # Last: a study without it was cut short while it was made, and is made again.
        study.set_user_attr(UID, uid)
    # As the person typed it: the database's copy may name other folders of this machine.
    return replace(open_study(storage, name, config), config=config)


def _kept(config: StudyConfig) -> dict[str, Any]:
    """As the database keeps it: without what makes shell scripts, none of which may come out of a database."""
    return config.model_dump(mode="json", exclude={"cluster"})


def direction_of(config: StudyConfig) -> StudyDirection:
    """Which values are better, as Optuna says it."""
    return StudyDirection.MAXIMIZE if config.objective.higher_is_better else StudyDirection.MINIMIZE


def same_study(storage: Storage, config: StudyConfig, name: str) -> OpenStudy | None:
    """The study `name` if it is there and whole. StudyError if `create_or_open` would refuse it; makes nothing."""
    if name not in study_names(storage):
        return None
    with trust.reading(f"{storage.name}: study {name!r}"):
        cut_short = _was_cut_short(optuna.load_study(study_name=name, storage=storage.optuna), direction_of(config))
    return None if cut_short else open_study(storage, name, config)


def _was_cut_short(study: optuna.Study, direction: StudyDirection) -> bool:
    """True if a process that was making this study died over it."""
    ours = set(study.user_attrs) <= {CONFIG, FINGERPRINT, VERSION, MEMBERS}
    return study.directions == [direction] and ours and not study.get_trials(deepcopy=False)


def open_study(storage: Storage, name: str, expected: StudyConfig | None = None) -> OpenStudy:
    """The study `name`. StudyError if it is not there, or if its config or version are not ours."""
    where = f"{storage.name}: study {trust.study_name(name)!r}"
    names = study_names(storage)
    if name not in names:
        known = ", ".join(names) or "none"
        raise StudyError(f"{storage.name}: there is no study {name!r}; it holds: {known}")
    attributes = attributes_of(storage, name)
    if not {UID, CONFIG, FINGERPRINT, VERSION} <= set(attributes):
        raise StudyError(f"{storage.name}: {name!r} is an Optuna study that colgan-search did not make")
    uid = trust.uid(attributes[UID], where)
    for key in (VERSION, FINGERPRINT):
        trust.read(WORD, attributes[key], f"{where}: {key}")
    if attributes[VERSION] != __version__:
        raise StudyError(
            f"study {name!r} was made by colgan-search {attributes[VERSION]}, this is {__version__}; "
            f"scores of two versions must not mix{wrong_with(attributes[VERSION])}; begin a new study (`study` NAME), "
            f"or install version {attributes[VERSION]} to read this one"
        )
    # Before its config is read, which would only say that it knows no such name.
    require_members(trust.read(WORDS, attributes.get(MEMBERS, {}), f"{where}: {MEMBERS}"), f"study {name!r}")
    config = parse_config(attributes[CONFIG], f"study {name!r}")
    ours = fingerprint(config)
    if ours != attributes[FINGERPRINT]:
        raise StudyError(
            f"study {name!r}: its config has fingerprint {ours}, but {attributes[FINGERPRINT]} is recorded; "
            "it was changed in the database"
        )
    if expected is not None and fingerprint(expected) != ours:
        lines = "\n  ".join(differences(expected, config))
        raise StudyError(
            f"study {name!r} has config fingerprint {ours}, the config given has {fingerprint(expected)}; "
            f"give the study's own config, or begin a new study (`study` NAME). They differ (given | study):\n  {lines}"
        )
    return OpenStudy(storage, name, uid, config)


def attributes_of(storage: Storage, name: str) -> dict[str, Any]:
    """The user attributes of an Optuna study, whoever made it. StudyError if they cannot be read."""
    with trust.reading(f"{storage.name}: study {name!r}"):
        return optuna.load_study(study_name=name, storage=storage.optuna).user_attrs


def our_study_names(storage: Storage) -> list[str]:
    """The studies of the database that colgan-search made, of whatever version."""
    with storage.engine.connect() as db:
        return sorted(filter(trust.is_study_name, handles.study_names(db, having=UID)))


def study_names(storage: Storage) -> list[str]:
    """All studies of the database that may be ours; one whose name cannot name a folder is somebody else's."""
    with storage.engine.connect() as db:
        return sorted(filter(trust.is_study_name, handles.study_names(db)))
