"""What Optuna's studies and trials do not tell by public calls: their ids, and what is kept under these."""

from collections.abc import Mapping
from typing import Any

import optuna
import sqlalchemy as sa
from optuna.storages._rdb.models import StudyModel, StudyUserAttributeModel
from optuna.trial import FrozenTrial


def trial_id(trial: FrozenTrial) -> int:
    """The trial's id in its database."""
    return trial._trial_id


def trial_of(study: optuna.Study, number: int) -> FrozenTrial:
    """Trial `number` as it is now, without a look at the others. KeyError if there is none."""
    storage = study._storage
    return storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def system_attributes(study: optuna.Study) -> dict[str, Any]:
    """What Optuna and its dashboard keep with the study."""
    return study._storage.get_study_system_attrs(study._study_id)


def set_system_attribute(study: optuna.Study, key: str, value: Any) -> None:
    """Keeps one more of these."""
    study._storage.set_study_system_attr(study._study_id, key, value)


def fix_params(study: optuna.Study, trial: FrozenTrial, params: Mapping[str, Any]) -> None:
    """Gives a trial that is being asked for its parameters, as Optuna's `enqueue_trial` does."""
    study._storage.set_trial_system_attr(trial._trial_id, "fixed_params", dict(params))


def note(study: optuna.Study, trial: FrozenTrial, key: str, value: Any) -> None:
    """A user attribute of a trial that is being asked for."""
    study._storage.set_trial_user_attr(trial._trial_id, key, value)


def study_names(db: sa.Connection, having: str | None = None) -> list[Any]:
    """The names of all studies, or of those with the user attribute `having`, as they stand in the table.

    Optuna's own call reads all attributes of all studies with them, and fails if one cannot be read.
    """
    found = sa.select(StudyModel.study_name)
    if having is not None:
        made = sa.select(StudyUserAttributeModel.study_id).where(StudyUserAttributeModel.key == having)
        found = found.where(StudyModel.study_id.in_(made))
    return list(db.execute(found).scalars())
