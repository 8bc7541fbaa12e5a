"""The program in simulated time: what is replaced for it, and what is counted meanwhile.

Nothing of the program is another one but `threading` and `time` of the modules that wait. A real PostgreSQL holds the
study; its clock is the simulation's. What is done under the lock of proposals takes as much simulated time as it took.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import greenlet
import psycopg2.extensions
import sqlalchemy as sa

from benchmarks.virtual_time import VirtualTime
from colgan_search.search.budget.slots import Slots
from colgan_search.search.budget.workers import Registry
from colgan_search.search.delivering import deliver, keeper
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.optuna_private.handles import trial_id
from colgan_search.search.proposing import ask_lock, history
from colgan_search.search.proposing.propose import Proposer
from colgan_search.search.study.opening import OpenStudy


@dataclass
class Seen:
    """What the simulation has counted."""

    statements: Counter[str] = field(default_factory=Counter)
    """By what they were for."""
    by_minute: Counter[int] = field(default_factory=Counter)
    """Statements of every simulated minute."""
    claim_seconds: list[float] = field(default_factory=list)
    """Of every claim, real."""
    graph_seconds: list[float] = field(default_factory=list)
    """Of every claim until its graph was known, simulated: mostly the waiting for the lock of proposals."""
    proposal_seconds: list[float] = field(default_factory=list)
    """Of every proposal under that lock, real."""
    trainings: int = 0
    """Begun."""
    vanished: int = 0


@contextlib.contextmanager
def simulated(study: OpenStudy, virtual: VirtualTime, seen: Seen) -> Iterator[None]:
    """In the block the workers of the study wait in that time; `seen` counts what they ask of the database."""
    with contextlib.ExitStack() as stack:
        for module in (keeper, ask_lock):
            stack.enter_context(patch.object(module, "threading", virtual.threading))
        for module in (keeper, history):
            stack.enter_context(patch.object(module, "time", virtual.time))
        stack.enter_context(patch.object(trial_rows, "read", _once_each(trial_rows.read)))
        for kind, method, purpose in (
            (Slots, "claim", "claims"),
            (Slots, "renew", "renewals"),
            (Slots, "forgive", "progress"),
            (Registry, "update", "progress"),
            (Proposer, "assign", "proposals"),
        ):
            stack.enter_context(patch.object(kind, method, _labelled(getattr(kind, method), purpose)))
        for name in ("deliver_spooled", "tell_closings"):
            stack.enter_context(patch.object(deliver, name, _labelled(getattr(deliver, name), "results")))
        stack.enter_context(patch.object(Slots, "claim", _timed(Slots.claim, seen.claim_seconds)))
        stack.enter_context(patch.object(Proposer, "assign", _waited(Proposer.assign, virtual, seen.graph_seconds)))
        stack.enter_context(patch.object(history.History, "refresh", _takes_its_time(history.History.refresh, virtual)))
        suggest = _timed(Proposer._suggest, seen.proposal_seconds)
        stack.enter_context(patch.object(Proposer, "_suggest", _takes_its_time(suggest, virtual)))
        stack.callback(psycopg2.extensions.set_wait_callback, psycopg2.extensions.get_wait_callback())
        psycopg2.extensions.set_wait_callback(None)  # no signal is waited for here
        stack.enter_context(_clock(study, virtual))
        stack.enter_context(_counted(study, virtual, seen))
        yield


def _once_each(read: Callable[..., Any]) -> Callable[..., Any]:
    """A thousand workers in one memory: each trial that they read, which is read and parsed each time, is kept once."""
    known: dict[Any, Any] = {}

    def reading(db: Any, which: Any, where: str, attributes: Any = (), **options: Any) -> Any:
        what = (tuple(attributes), *options.values())
        return [
            known.setdefault((trial_id(trial), trial.state, trial.value, what), trial)
            for trial in read(db, which, where, attributes, **options)
        ]

    return reading


def _labelled(call: Callable[..., Any], purpose: str) -> Callable[..., Any]:
    def labelled(*given: Any, **named: Any) -> Any:
        task = greenlet.getcurrent()
        before = getattr(task, "purpose", None)
        task.purpose = before or purpose
        try:
            return call(*given, **named)
        finally:
            task.purpose = before

    return labelled


def _timed(call: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    def timed(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = call(*given, **named)
        seconds.append(time.perf_counter() - began)
        return result

    return timed


def _waited(call: Callable[..., Any], virtual: VirtualTime, seconds: list[float]) -> Callable[..., Any]:
    def waited(*given: Any) -> Any:
        began = virtual.now
        result = call(*given)
        seconds.append(virtual.now - began)
        return result

    return waited


def _takes_its_time(call: Callable[..., Any], virtual: VirtualTime) -> Callable[..., Any]:
    """What holds others up, because it happens under a lock, passes as much simulated time as it took."""

    def taking(*given: Any) -> Any:
        began = time.perf_counter()
        result = call(*given)
        virtual.pause(time.perf_counter() - began)
        return result

    return taking


@contextlib.contextmanager
def _clock(study: OpenStudy, virtual: VirtualTime) -> Iterator[None]:
    """The database's clock is the simulation's: our sessions find another `clock_timestamp` before the server's."""
    engine, told = study.storage.engine, [0.0]
    statements = (
        "CREATE SCHEMA IF NOT EXISTS simulated",
        "CREATE OR REPLACE FUNCTION simulated.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS "
        "$$ SELECT to_timestamp(current_setting('simulated.now')::double precision) $$",
    )
    with study.storage.transaction() as db:
        for statement in statements:
            db.execute(sa.text(statement))

    def connected(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = simulated, public, pg_catalog")
        connection.commit()
        told[0] = 0.0

    def executes(_: Any, cursor: Any, statement: str, parameters: Any, __: Any, many: bool) -> tuple[str, Any]:
        if told[0] != virtual.now:
            told[0] = virtual.now
            tells = f"SET simulated.now = '{virtual.now!r}';"
            if not many:
                return f"{tells} {statement}", parameters  # in one round trip
            cursor.execute(tells)
        return statement, parameters

    def taken_back(_: sa.Connection) -> None:
        told[0] = 0.0  # and so is the setting

    listeners = ("connect", connected), ("before_cursor_execute", executes), ("rollback", taken_back)
    for name, listener in listeners:
        sa.event.listen(engine, name, listener, retval=name == "before_cursor_execute")
    engine.dispose()
    try:
        yield
    finally:
        for name, listener in listeners:
            sa.event.remove(engine, name, listener)
        engine.dispose()


@contextlib.contextmanager
def _counted(study: OpenStudy, virtual: VirtualTime, seen: Seen) -> Iterator[None]:
    def executes(*_: Any) -> None:
        seen.statements[getattr(greenlet.getcurrent(), "purpose", None) or "others"] += 1
        seen.by_minute[int(virtual.now // 60)] += 1

    sa.event.listen(study.storage.engine, "before_cursor_execute", executes)
    try:
        yield
    finally:
        sa.event.remove(study.storage.engine, "before_cursor_execute", executes)
