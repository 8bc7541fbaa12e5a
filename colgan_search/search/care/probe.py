"""How a database is: reachable, its clock, its schema, whether we may write to it. Changes nothing."""

import statistics
import time
from dataclasses import dataclass

import sqlalchemy as sa

from colgan_search.errors import Unreachable
from colgan_search.search import trust
from colgan_search.search.budget.slot_records import LEASED
from colgan_search.search.database.connecting import Server
from colgan_search.search.database.retry import one_line
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import now, past, schema, slots, studies
from colgan_search.search.study.opening import OpenStudy

SAMPLES = 5


@dataclass(frozen=True)
class Room:
    """How many connections a server has."""

    server: Server
    used: int
    """Of all clients, of all databases, at this moment."""


@dataclass(frozen=True)
class Probe:
    """What a few questions to the database have shown."""

    server: str
    latency: float
    """Median seconds of a question and its answer."""
    skew: float
    """Seconds by which the database's clock is ahead of ours, give or take half the latency."""
    schema: int | None
    """Version of our tables; None if there are none yet."""
    refused: str | None
    """Why we may not write to our tables; None if we may, or there are none."""
    room: Room | None
    """None for SQLite, which has no connections to spare."""


@dataclass(frozen=True)
class RunOut:
    """A lease that its owner has not renewed in time."""

    slot: int
    trial_number: int | None
    worker: str
    seconds: float
    """Since when."""


def probe(storage: Storage) -> Probe:
    """Asks the database. Unreachable, in one line, if it cannot be asked."""
    try:
        return _probed(storage)
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise Unreachable(f"{storage.name}: {one_line(error)}") from error


def _probed(storage: Storage) -> Probe:
    with storage.engine.connect() as db:
        server = db.dialect.name
        if db.dialect.server_version_info:
            server += " " + ".".join(map(str, db.dialect.server_version_info))
        times, skews = [], []
        for _ in range(SAMPLES):
            before, started = time.time(), time.perf_counter()
            theirs = float(db.execute(sa.select(now())).scalar_one())
            times.append(time.perf_counter() - started)
            skews.append(theirs - before - times[-1] / 2)
        skew = skews[times.index(min(times))]
        ours = sa.inspect(db).has_table(schema.name)
        version = db.execute(sa.select(sa.func.max(schema.c.version))).scalar() if ours else None
        clients = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        used = int(db.execute(sa.text(clients)).scalar_one()) if storage.server is not None else 0
    room = Room(storage.server, used) if storage.server is not None else None
    return Probe(server, statistics.median(times), skew, version, _refused(storage) if ours else None, room)


def _refused(storage: Storage) -> str | None:
    with storage.engine.connect() as db:
        try:
            db.execute(studies.update().where(studies.c.uid == "").values(contact=0.0))
        except sa.exc.DBAPIError as error:
            return one_line(error)
        db.rollback()
    return None


def leases_run_out(study: OpenStudy) -> list[RunOut]:
    """Slots whose lease ran out and that nobody has taken over yet."""
    lease = study.config.service.lease_seconds
    with study.storage.engine.connect() as db:
        rows = db.execute(
            sa.select(slots.c.slot, slots.c.trial_number, slots.c.worker, (now() - slots.c.lease_until).label("late"))
            .where(slots.c.uid == study.uid, slots.c.state == LEASED, past(slots.c.lease_until, lease))
            .order_by(slots.c.slot)
        ).all()
    where = f"study {study.name!r}: leases"
    checked = trust.rows(rows, slots, where)
    return [RunOut(row.slot, row.trial_number, row.worker, max(0.0, float(row.late))) for row in checked]
