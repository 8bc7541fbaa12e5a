"""A study of a thousand workers, a third of which vanish: what its database has to carry, and whether anything is lost.

    python -m benchmarks fleet --json

on a PostgreSQL of its own (that of the tests, without fsync), or on the empty database that --storage names. The
workers are the program's own in simulated time (see `simulated`); they share one connection, and their trainings wait.
"""

import argparse
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from benchmarks.benchmark import Benchmark
from benchmarks.crowd import crowd
from benchmarks.simulated import Seen
from colgan_search.errors import BadInput
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from colgan_search.search.database.tables import slots
from colgan_search.search.study.opening import OpenStudy, create_or_open
from tests.fake_worker import fake_value
from tests.fleet import fake_config
from tests.postgres import Postgres

LEASE_SECONDS = 90.0
"""The default of `service.lease_seconds`."""


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--trials", type=int, default=1500, help="results that the study wants")
    parser.add_argument("--minutes", type=float, default=40.0, help="of a training, simulated")
    parser.add_argument("--vanish", type=int, help="workers that vanish without a word; a third of them unless told")
    parser.add_argument("--starts", type=float, default=60.0, help="simulated seconds in which all workers start")
    parser.add_argument("--sampler", default="random")
    parser.add_argument("--seed", type=int, default=0, help="of starts and vanishings")
    parser.add_argument("--storage", help="the URL of an empty PostgreSQL database on this machine")


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """The whole study, and what was counted."""
    vanish = asked.workers // 3 if asked.vanish is None else asked.vanish
    if not 0 <= vanish < asked.workers or asked.trials < 1:
        raise BadInput("--vanish leaves at least one of --workers, and --trials is at least 1")
    with tempfile.TemporaryDirectory() as folder:
        server = None if asked.storage else Postgres(Path(folder))
        try:
            if server is not None:
                server.start()
            storage = open_storage(asked.storage or server.new_database(), create=True)
            try:
                return _measured(storage, asked, vanish, Path(folder))
            finally:
                storage.close()
        finally:
            if server is not None:
                server.stop()


def _measured(storage: Storage, asked: argparse.Namespace, vanish: int, folder: Path) -> dict[str, Any]:
    if storage.is_sqlite:
        raise BadInput("--storage: SQLite serves one machine; name an empty PostgreSQL database")
    service = {"lease_seconds": LEASE_SECONDS}
    config = fake_config("fleet", k=3, search={"sampler": asked.sampler}, service=service)
    study = create_or_open(storage, config, "fleet", asked.trials)
    wall, cpu, served = time.perf_counter(), time.process_time(), _server_seconds(storage)
    virtual, seen = crowd(
        study,
        folder,
        workers=asked.workers,
        vanish=vanish,
        training=60.0 * asked.minutes,
        starts=asked.starts,
        seed=asked.seed,
    )
    return {
        "asked": {"workers": asked.workers, "trials": asked.trials, "minutes": asked.minutes, "sampler": asked.sampler},
        "results": results(study),
        "vanished": seen.vanished,
        "trainings": seen.trainings,
        "simulated_seconds": round(virtual.now, 1),
        **_load(seen, virtual.now),
        "real_seconds": round(time.perf_counter() - wall, 1),
        "client_cpu_seconds": round(time.process_time() - cpu, 1),
        "server_cpu_seconds": round(_server_seconds(storage) - served, 1),
    }


def _load(seen: Seen, seconds: float) -> dict[str, Any]:
    """The statements, and how long workers waited for the database and for each other."""
    total = sum(seen.statements.values())
    return {
        "statements": total,
        "statements_a_second": round(total / seconds, 1),
        "busiest_minute_statements_a_second": round(max(seen.by_minute.values()) / 60.0, 1),
        "statements_by_purpose": dict(seen.statements.most_common()),
        "claim_ms": _spread([1000.0 * one for one in seen.claim_seconds]),
        "proposal_ms": _spread([1000.0 * one for one in seen.proposal_seconds]),
        "wait_for_graph_seconds": _spread(seen.graph_seconds),
    }


def _spread(numbers: Sequence[float]) -> dict[str, float]:
    longest = max(numbers)
    return {"count": len(numbers), "median": round(statistics.median(numbers), 2), "longest": round(longest, 2)}


def results(study: OpenStudy) -> dict[str, int]:
    """What the finished study has; a slot is right if its outcome, its trial's value and its graph's agree."""
    with study.storage.engine.connect() as db:
        rows = db.execute(sa.select(slots).where(slots.c.uid == study.uid)).all()
    told = {trial.number: trial for trial in study.trials()}
    right = 0
    for row in rows:
        trial, outcome = told.get(row.trial_number), json.loads(row.outcome or "{}")
        if trial is not None and trial.state.is_finished() and outcome:
            value = fake_value(trial.user_attrs["graph"], trial.user_attrs["seed"])
            right += row.state == "done" and outcome["value"] == trial.value == value
    return {
        "slots": len(rows),
        "right": right,
        "trials": len(told),
        "distinct_trials_of_slots": len({row.trial_number for row in rows}),
        "taken_over": sum(row.token - 1 for row in rows),
    }


def _server_seconds(storage: Storage) -> float:
    """CPU time of all processes of the server, those that have ended among them; it is on this machine."""
    with storage.engine.connect() as db:
        main = psutil.Process(db.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()).parent()
    assert main is not None
    total = 0.0
    for process in (main, *main.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return float(total)


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The figures in words."""
    found, asked, seconds = result["results"], result["asked"], result["simulated_seconds"]
    yield (
        f"{asked['workers']} workers, {result['vanished']} of them vanished; {seconds / 3600:.2f} simulated hours, "
        f"{result['real_seconds']:.0f} s real"
    )
    yield (
        f"results: {found['right']} right of {asked['trials']} wanted, in {found['slots']} slots and {found['trials']} "
        f"trials; {found['taken_over']} takeovers, {result['trainings']} trainings"
    )
    yield (
        f"statements a simulated second: {result['statements_a_second']:.0f}, in the busiest minute "
        f"{result['busiest_minute_statements_a_second']:.0f}; the server's CPU: "
        f"{100 * result['server_cpu_seconds'] / seconds:.1f} % of a core"
    )
    yield "by purpose: " + ", ".join(f"{name} {count}" for name, count in result["statements_by_purpose"].items())
    for key, what in (
        ("claim_ms", "a claim, ms"),
        ("proposal_ms", f"a proposal by {asked['sampler']}, ms"),
        ("wait_for_graph_seconds", "from a claim to its graph, simulated s"),
    ):
        yield f"{what}: median {result[key]['median']}, longest {result[key]['longest']}, of {result[key]['count']}"


FLEET = Benchmark(
    "fleet",
    "a thousand workers in simulated time, a third of which vanish: what their database carries",
    options,
    run,
    lines,
    device=False,
    packages=("optuna", "sqlalchemy", "psycopg2-binary", "greenlet"),
)
