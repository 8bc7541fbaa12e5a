"""Our tables beside Optuna's, their version, and the database's own clock."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

SCHEMA_VERSION = 2

metadata = sa.MetaData()

schema = sa.Table("colgan_schema", metadata, sa.Column("version", sa.Integer, primary_key=True))

studies = sa.Table(
    "colgan_studies",
    metadata,
    sa.Column("uid", sa.String(32), primary_key=True, comment="also a user attribute of the Optuna study"),
    sa.Column("total", sa.Integer, nullable=False, comment="results that the study ends with"),
    sa.Column("grace_until", sa.Float, nullable=False, server_default="0", comment="no takeover before; epoch s"),
    sa.Column("contact", sa.Float, nullable=False, server_default="0", comment="last claim or renewal; epoch s"),
    sa.Column("ask_owner", sa.String(200), comment="the worker whose graph is proposed now, or was last"),
    sa.Column("ask_token", sa.Integer, nullable=False, server_default="0", comment="fences off owners of before"),
    sa.Column("ask_until", sa.Float, nullable=False, server_default="0", comment="that lock's lease; epoch s"),
)

slots = sa.Table(
    "colgan_slots",
    metadata,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(16), nullable=False, comment="free, leased, accepted, done, failing or failed"),
    sa.Column("token", sa.Integer, nullable=False, comment="number of claims so far; fences off older ones"),
    sa.Column("trial_number", sa.Integer),
    sa.Column("worker", sa.String(200)),
    sa.Column("lease_until", sa.Float, nullable=False, comment="seconds since 1970 UTC on the database's clock"),
    sa.Column("faults", sa.Text, nullable=False, server_default="[]", comment="what happened, as JSON; see faults.py"),
    sa.Column("outcome", sa.Text, comment="the accepted result as JSON"),
    sa.UniqueConstraint("uid", "trial_number", name="colgan_slots_trial"),
    sa.Index("colgan_slots_state", "uid", "state"),
)

workers = sa.Table(
    "colgan_workers",
    metadata,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("worker", sa.String(200), primary_key=True),
    sa.Column("process", sa.Text, nullable=False, comment="JSON of the process, to see on its machine if it lives"),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("version", sa.String(50), nullable=False),
    sa.Column("started", sa.Float, nullable=False),
    sa.Column("seen", sa.Float, nullable=False),
    sa.Column("state", sa.String(50), nullable=False),
    sa.Column("trial_number", sa.Integer),
    sa.Column("epoch", sa.Integer),
    sa.Column("epochs", sa.Integer),
    sa.Column("last_is", sa.Float),
)

files = sa.Table(
    "colgan_files",
    metadata,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("content", sa.LargeBinary, nullable=False),
)

artifacts = sa.Table(
    "colgan_artifacts",
    metadata,
    sa.Column("uid", sa.String(32), primary_key=True),
    sa.Column("artifact", sa.String(36), primary_key=True, comment="the id in Optuna's record of it, with the trial"),
    sa.Column("trial_number", sa.Integer, comment="none: somebody gave it at the dashboard"),
    sa.Column("bytes", sa.Integer, nullable=False, comment="of the content; 0: it gave way to a better trial's"),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
"""Later than the others, so that databases of this schema's version may be without it: see `opening`."""


class now(FunctionElement[float]):
    """Seconds since 1970 UTC on the database's clock, whatever the client's time zone."""

    type = sa.Float()
    inherit_cache = True


@compiles(now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())::double precision"


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


class server_started(FunctionElement[float]):
    """When the database server started, seconds since 1970 UTC; 0 for SQLite, which has no server."""

    type = sa.Float()
    inherit_cache = True


@compiles(server_started, "postgresql")
def _server_started_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "EXTRACT(EPOCH FROM pg_postmaster_start_time())::double precision"


@compiles(server_started, "sqlite")
def _server_started_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "0.0"


CLOCK_STEP_SECONDS = 1.0
"""Clocks are corrected by less than this all the time."""


def past(moment: sa.ColumnElement[float], seconds: float) -> sa.ColumnElement[bool]:
    """True if a moment has come. One further ahead than `seconds`, which none can be, is of a clock since set back."""
    return (moment <= now()) | (moment > now() + seconds + CLOCK_STEP_SECONDS)
