"""Our tables beside Optuna's, their version, and the database's own clock."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement

from colgan_search.errors import NothingThere, StorageError

if TYPE_CHECKING:
    from colgan_search.search.database.storage import Storage

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


def prepare(storage: "Storage", *, create: bool, writing: bool = True) -> None:
    """Checks the schema's version; with `create` makes Optuna's tables and ours, once, under a lock.

    StorageError if it is another version's, not there, or, unless `writing` is False, read-only.
    """
    # Also the switch of an empty SQLite file to WAL must not meet another one.
    with storage.lock("schema") if create else nullcontext():
        if writing:
            _require_writable(storage)
        if create and _version(storage) is None:
            _create(storage)
    version = _version(storage)
    if version is None:
        raise NothingThere(f"{storage.name}: holds no colgan-search study yet; `colgan-search launch` makes one")
    if version != SCHEMA_VERSION:
        raise StorageError(
            f"{storage.name}: its tables have schema version {version}, this package needs {SCHEMA_VERSION}; "
            "use the package version that made them, or another database"
        )
    storage.check_optuna_tables()


def _require_writable(storage: "Storage") -> None:
    """A read-only database would be told from an outage only after the whole outage limit."""
    with storage.transaction() as connection:  # on SQLite this alone fails on a read-only file
        if not storage.is_sqlite and connection.scalar(sa.text("SHOW transaction_read_only")) == "on":
            raise StorageError(f"{storage.name}: this server or role is read-only; name the primary, or another role")


def _version(storage: "Storage") -> int | None:
    with storage.engine.connect() as connection:
        if not sa.inspect(connection).has_table(schema.name):
            return None
        return connection.execute(sa.select(sa.func.max(schema.c.version))).scalar()


def _create(storage: "Storage") -> None:
    # Optuna makes and stamps its own tables; eight of these at once would crash each other.
    storage.create_optuna_tables()
    with storage.transaction() as connection:
        metadata.create_all(connection)
        connection.execute(schema.insert().values(version=SCHEMA_VERSION))
