"""Optuna's records of artifacts: system attributes of studies and of trials, whose keys name the artifact.

Optuna has no call that lists those of a whole study; its calls read one trial at a time.
"""

from typing import cast

import sqlalchemy as sa
from optuna.storages._rdb import models

from colgan_search.search import trust
from colgan_search.search.optuna_private.trial_rows import system_attributes, trials

PREFIX = "artifacts:"
"""Before the id, in the system attribute in which Optuna and its dashboard look for what a trial has."""

of_studies = cast(sa.Table, models.StudySystemAttributeModel.__table__)


def named_only_by(db: sa.Connection, study: int) -> list[str]:
    """Ids of the artifacts that the study or its trials name, and no other study of the database: copies share theirs.

    What is no artifact's id is left out: ids name files.
    """
    named, elsewhere = _named(db, study, its_own=True), _named(db, study, its_own=False)
    return sorted(name for name in named - elsewhere if trust.is_artifact(name))


def records_of(db: sa.Connection, study: int, number: int) -> list[str]:
    """The JSON texts of the artifacts of trial `number`, in the order in which they were written."""
    its = (trials.c.study_id == study) & (trials.c.number == number)
    rows = sa.select(system_attributes.c.value_json).join(trials, trials.c.trial_id == system_attributes.c.trial_id)
    of_artifacts = system_attributes.c.key.startswith(PREFIX, autoescape=True)
    found = rows.where(its, of_artifacts).order_by(system_attributes.c.trial_system_attribute_id)
    return [str(text) for text in db.execute(found).scalars()]


def _named(db: sa.Connection, study: int, *, its_own: bool) -> set[str]:
    """Ids that this study names, or that all others do."""
    joined = sa.select(system_attributes.c.key).join(trials, trials.c.trial_id == system_attributes.c.trial_id)
    keys: set[str] = set()
    for rows, table, owner in (
        (joined, system_attributes, trials.c.study_id),
        (sa.select(of_studies.c.key), of_studies, of_studies.c.study_id),
    ):
        whose = owner == study if its_own else owner != study
        keys |= set(db.execute(rows.where(whose, table.c.key.startswith(PREFIX, autoescape=True))).scalars())
    return {key.removeprefix(PREFIX) for key in keys}
