"""What a trial costs a worker beside its training, in studies of many sizes: a real worker, an instant experiment.

    python -m benchmarks service --trials 100 1000 5000 15000

on a PostgreSQL of its own (that of the tests), or on the empty database that --storage names.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.benchmark import Benchmark
from benchmarks.filling import fill
from benchmarks.metering import Counts, metering
from colgan_search.file_names import WorkFolder
from colgan_search.search.care.housekeeping import tidy
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open, open_study
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config
from tests.postgres import Postgres

WARM_UP = 3
"""Trials that are not measured: the first one reads the whole study."""


@dataclass(frozen=True)
class Cost:
    """Of one trial, as medians over those measured."""

    trials: int
    """Finished trials in the study before."""
    sampler: str
    cpu_ms: float
    wall_ms: float
    statements: float
    round_trips: float
    locked_statements: float
    locked_round_trips: float
    first_cpu_ms: float
    """Of a worker's first trial, before which it reads the whole study."""
    first_wall_ms: float


def measure(url: str, trials: int, measured: int, sampler: str, work: Path) -> Cost:
    """Makes a study of so many finished trials and lets a worker do `measured` more."""
    name = f"{sampler}-{trials}"
    config = fake_config(name, k=3, search={"sampler": sampler}, service={"lease_seconds": 90.0})
    storage = open_storage(url, create=True)
    fill(create_or_open(storage, config, name, trials + WARM_UP + measured), trials)
    storage.close()

    storage = open_storage(url)
    study = open_study(storage, name)
    folder = WorkFolder(work)
    moments: list[tuple[float, float, Counts]] = []
    with metering() as counts:

        def accepted(_: int) -> None:
            tidy(study, folder)
            moments.append((time.process_time(), time.perf_counter(), Counts(**asdict(counts))))

        begun = time.process_time(), time.perf_counter()
        Worker(study, FakeExperiment(0.0), folder, "cpu", threading.Event(), accepted).run()
    storage.close()
    steps = list(zip(moments[WARM_UP - 1 :], moments[WARM_UP:], strict=False))

    def count(field: str) -> float:
        return statistics.median(getattr(after[2], field) - getattr(before[2], field) for before, after in steps)

    return Cost(
        trials=trials,
        sampler=sampler,
        cpu_ms=round(1000 * statistics.median(after[0] - before[0] for before, after in steps), 1),
        wall_ms=round(1000 * statistics.median(after[1] - before[1] for before, after in steps), 1),
        statements=count("statements"),
        round_trips=count("round_trips"),
        locked_statements=count("locked_statements"),
        locked_round_trips=count("locked_round_trips"),
        first_cpu_ms=round(1000 * (moments[0][0] - begun[0]), 1),
        first_wall_ms=round(1000 * (moments[0][1] - begun[1]), 1),
    )


def _server(url: str) -> str:
    storage = open_storage(url, create=True)
    with storage.engine.connect() as db:
        db.execute(sa.text("SELECT 1"))
        found = f"{db.dialect.name} " + ".".join(map(str, db.dialect.server_version_info or ()))
    storage.close()
    return found


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--trials", type=int, nargs="+", default=[100, 1000, 5000, 15000], help="sizes of the study")
    parser.add_argument("--measure", type=int, default=20, help="trials that are measured in each")
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--storage", help="the URL of an empty database")


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """The costs in studies of all sizes, and the database's version."""
    with tempfile.TemporaryDirectory() as folder:
        server = None if asked.storage else Postgres(Path(folder))
        try:
            if server is not None:
                server.start()
            url = asked.storage or server.new_database()
            database = _server(url)
            costs = [measure(url, n, asked.measure, asked.sampler, Path(folder) / "work") for n in asked.trials]
        finally:
            if server is not None:
                server.stop()
    return {"database": database, "costs": [asdict(cost) for cost in costs]}


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A table, a line for every size."""
    yield f"{'trials':>7}{'CPU ms':>9}{'wall ms':>9}{'statements':>12}{'round trips':>13}{'under the lock':>16}"
    for cost in result["costs"]:
        yield (
            f"{cost['trials']:>7}{cost['cpu_ms']:>9.1f}{cost['wall_ms']:>9.1f}{cost['statements']:>12.0f}"
            f"{cost['round_trips']:>13.0f}{cost['locked_round_trips']:>16.0f}"
        )


SERVICE = Benchmark(
    "service",
    "what a trial costs a worker beside its training, in studies of many sizes",
    options,
    run,
    lines,
    device=False,
    packages=("optuna", "sqlalchemy", "psycopg2-binary", "numpy"),
)
