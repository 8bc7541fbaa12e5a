"""`doctor`: is everything well with this machine, the database and the studies in it? Changes nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from colgan_search.api import health
from colgan_search.api.doubts import doubt
from colgan_search.api.own_files import OwnFiles, named_in
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, storage_text, work_folder
from colgan_search.config import StudyConfig
from colgan_search.errors import ColganError, DataError, Unreachable
from colgan_search.extensions.checks import Check
from colgan_search.extensions.launchers import LAUNCHERS
from colgan_search.file_names import WorkFolder
from colgan_search.search.budget.workers import GONE, Registry
from colgan_search.search.care.probe import Room, leases_run_out, probe
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.retry import one_line
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import SCHEMA_VERSION
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import UID, OpenStudy, attributes_of, open_study, study_names
from colgan_search.search.trust import shown
from colgan_search.version import __version__

SLOW_SECONDS = 0.1
"""A claim asks the database a few times: slower than this, workers wait noticeably."""

SKEW_SECONDS = 2.0

SCARCE_CONNECTIONS = 5
"""With fewer left, the next workers are refused."""


@dataclass(frozen=True)
class DoctorRequest:
    """Everything may be left out: then the machine and the usual database are looked at."""

    storage: str | None = None
    study: str | None = None
    config: StudyConfig | None = None
    work_dir: Path = DEFAULT_WORK_DIR
    data_root: str | None = None
    weights: str | None = None
    launcher: str | None = None
    """Also what the scheduler of this name would do to workers."""


def doctor(request: DoctorRequest) -> list[Check]:
    """Every check, in an order to read. Bad input in the request itself (a URL, say) is raised as ever."""
    work = work_folder(request.work_dir)
    text = storage_text(request.storage, work)
    of_database, studies = _database(text, request.study)
    config = request.config
    if config is None and len(studies) == 1:
        config = studies[0].config
    try:
        checks = [health.versions(), *_safely("gpu", lambda: health.gpus(config)), health.memory(), health.disk(work)]
        own = named_in(request.config, request.data_root, request.weights)
        checks += _safely("config", lambda: _config(config, own, work))
        checks += of_database
        if request.launcher is not None:
            checks += _safely(request.launcher, lambda: _launcher(str(request.launcher), request.config))
        for study in studies:
            checks += _safely(f"study {study.name}", lambda study=study: _study(study))  # type: ignore[misc]
        url = normalise_url(text)
        file = [Path(str(url.database))] if url.get_backend_name() == "sqlite" else []
        return [*checks, health.spooled(work, request.study), health.privacy([work.root, *file])]
    finally:
        for study in studies:
            study.storage.close()


def _safely(name: str, checks: Callable[[], Iterable[Check]]) -> list[Check]:
    """The checks, or one error line: a doctor does not faint."""
    try:
        return list(checks())
    except Exception as error:
        return [Check(name, "error", f"{type(error).__name__}: {one_line(error)}", "this could not be looked at")]


def _launcher(name: str, config: StudyConfig | None) -> Iterator[Check]:
    launcher = LAUNCHERS.get(name)
    known = config is not None and config.cluster.kind == name
    yield from launcher.checks(config.cluster if known and config is not None else launcher.settings(kind=name))


def _config(config: StudyConfig | None, own: OwnFiles, work: WorkFolder) -> Iterator[Check]:
    if config is None:
        yield Check("data", "ok", "not looked at: no study; name one with --study, or a --config")
        return
    try:
        config = own.applied(config, config.name)
    except DataError as error:
        yield Check("data", "error", str(error), "a worker would refuse it as well")
        return
    yield from health.of_config(config, work)


def _database(text: str, study: str | None) -> tuple[list[Check], list[OpenStudy]]:
    """How the database is, and the studies in it that can be opened."""
    url = normalise_url(text)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        what = f"{url.database}: not there yet"
        if study is not None:
            return [Check("database", "error", what, "name the storage of the study: --storage or COLGAN_STORAGE")], []
        return [Check("database", "ok", f"{what}; `colgan-search launch` makes it")], []
    storage = Storage(url)
    try:
        found = probe(storage)
    except Unreachable as error:
        advice = "is the server running, are host, port, user and password right? Workers wait out an outage"
        return [Check("database", "error", str(error), advice)], []
    finally:
        storage.close()
    slow = found.latency > SLOW_SECONDS
    checks = [
        Check(
            "database",
            "warning" if slow else "ok",
            f"{storage.name}: {found.server}, answers in {found.latency * 1000:.1f} ms",
            "every claim asks several times; move the database nearer to the workers" if slow else "",
        ),
        Check(
            "clock",
            "warning" if abs(found.skew) > SKEW_SECONDS else "ok",
            f"{abs(found.skew):.1f} s {'behind' if found.skew > 0 else 'ahead of'} the database's",
            "leases go by the database's clock alone, but log times differ: run an NTP client"
            if abs(found.skew) > SKEW_SECONDS
            else "",
        ),
        *_room(found.room),
        _schema(found.schema),
    ]
    if found.refused is not None:
        advice = "name the primary server, or grant the role what docs/operations.md lists"
        checks.append(Check("rights", "error", f"cannot write: {found.refused}", advice))
    if found.schema != SCHEMA_VERSION or found.refused is not None:
        return checks, []
    of_studies, studies = _studies(text, study)
    return checks + of_studies, studies


def _room(room: Room | None) -> Iterator[Check]:
    if room is None:
        return
    server = room.server
    free = server.connections - server.reserved - room.used
    what = f"max_connections is {server.connections}, {server.reserved} of them reserved, {room.used} in use now"
    what += f"; about {server.workers} workers fit" + (", more through the pooler before it" if server.pooled else "")
    advice = "raise max_connections in postgresql.conf, or put PgBouncer (pool_mode = transaction) before the server"
    scarce = free < SCARCE_CONNECTIONS
    yield Check("connections", "warning" if scarce else "ok", what, advice if scarce else "")


def _schema(version: int | None) -> Check:
    if version is None:
        return Check("schema", "ok", "no tables yet; `colgan-search launch` makes them")
    if version != SCHEMA_VERSION:
        advice = "use the package version that made the tables, or another database"
        return Check("schema", "error", f"version {version}, this package needs {SCHEMA_VERSION}", advice)
    return Check("schema", "ok", f"version {version}")


def _studies(text: str, wanted: str | None) -> tuple[list[Check], list[OpenStudy]]:
    checks, opened = [], []
    try:
        storage = open_storage(text)
    except ColganError as error:
        return [Check("database", "error", str(error), "see the message")], []
    for name in [wanted] if wanted is not None else study_names(storage):
        try:
            if wanted is None and UID not in attributes_of(storage, name):
                continue  # somebody else's
            opened.append(open_study(storage, name))
        except ColganError as error:
            checks.append(Check(f"study {name}", "error", str(error), "see the message"))
    if not opened:
        storage.close()
    return checks, opened


def _study(study: OpenStudy) -> Iterator[Check]:
    """Budget, leases, workers and their versions."""
    name = f"study {study.name}"
    budget = study.slots.budget()
    what = f"{budget.done} of {budget.total} results, {budget.running} running, {budget.free} given back"
    failed = f"; {budget.failed} graphs failed on several workers" if budget.failed else ""
    advice = "`colgan-search status` shows the reasons" if failed else ""
    yield Check(name, "warning" if failed else "ok", what + failed, advice)
    late = leases_run_out(study)
    if late:
        what = ", ".join(f"trial {lease.trial_number} of {lease.worker} ({lease.seconds:.0f} s ago)" for lease in late)
        yield Check(f"{name}: leases", "warning", f"ran out: {what}", "the next worker that asks takes them over")
    else:
        yield Check(f"{name}: leases", "ok", "none ran out")
    if (text := doubt(study)) is not None:
        advice = "its results stay what they are; begin a new study with a better judge (--study NAME)"
        yield Check(f"{name}: classifier", "warning", text, advice)
    silent = 3 * study.config.service.lease_seconds
    registry = Registry(study.storage, study.uid)
    known = registry.all()
    if unreadable := registry.names() - {row.worker for row in known}:
        what = f"{len(unreadable)} in the database cannot be read: {', '.join(sorted(map(shown, unreadable)))}"
        yield Check(f"{name}: workers", "warning", what, "colgan-search did not write that; nobody counts them")
    rows = [row for row in known if row.state not in GONE]
    live = [row for row in rows if row.quiet < silent and not row.process.is_dead_here()]
    yield _workers(name, {row.worker: row.version for row in live}, len(rows) - len(live))
    untold = len(study.slots.closings())
    if untold:
        advice = "the next worker tells Optuna of them"
        yield Check(f"{name}: results", "warning", f"{untold} accepted that Optuna does not know yet", advice)


def _workers(name: str, versions: dict[str, str], silent: int) -> Check:
    what = f"{len(versions)} at work" + (f", {silent} gone without a word" if silent else "")
    others = sorted({version for version in versions.values() if version != __version__})
    if others:
        who = ", ".join(worker for worker, version in versions.items() if version != __version__)
        advice = "scores of two versions must not mix: drain them and install the same version everywhere"
        return Check(f"{name}: workers", "warning", f"{what}; {who} run {', '.join(others)}, not {__version__}", advice)
    return Check(f"{name}: workers", "ok", what)
