"""Whether anybody works on a study: what changes it as a whole is refused then."""

import sqlalchemy as sa

from colgan_search.errors import StudyError
from colgan_search.search.budget.slot_records import LEASED
from colgan_search.search.budget.workers import GONE, Registry
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import past, slots
from colgan_search.search.study.opening import OpenStudy

SILENT_LEASES = 3
"""A worker that says nothing for so many leases counts as gone."""


def workers_at(storage: Storage, uid: str, lease_seconds: float) -> list[str]:
    """Workers of the study that hold a lease, or that were heard of lately, are not dead here, and have not left."""
    with storage.engine.connect() as db:
        held = slots.c.uid == uid, slots.c.state == LEASED, ~past(slots.c.lease_until, lease_seconds)
        holders = set(db.execute(sa.select(slots.c.worker).where(*held)).scalars())
    silent = SILENT_LEASES * lease_seconds
    rows = Registry(storage, uid).all()
    holders |= {row.worker for row in rows if row.state not in GONE and row.quiet < silent}
    holders -= {row.worker for row in rows if row.process.is_dead_here()}
    return sorted(map(str, holders))


def require_drained(study: OpenStudy) -> None:
    """StudyError if a worker is at the study; see `workers_at`."""
    lease = study.config.service.lease_seconds
    if holders := workers_at(study.storage, study.uid, lease):
        raise busy(study.name, holders, lease)


def busy(name: str, holders: list[str], lease_seconds: float) -> StudyError:
    """What is said of a study that has these workers at it."""
    silent = SILENT_LEASES * lease_seconds
    return StudyError(
        f"study {name!r} has workers at it: {', '.join(holders)}; drain them first "
        f"(SIGTERM, or Ctrl-C in `launch`). Workers that are gone without a word count as gone after {silent:.0f} s"
    )
