"""The database goes away at each point of a trial in turn, before the call or between the deed and its answer."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from colgan_search.file_names import WorkFolder
from colgan_search.records import Outcome
from colgan_search.search.budget.slots import Slots
from colgan_search.search.budget.workers import Registry
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.keeper import Keeper
from colgan_search.search.proposing import space
from colgan_search.search.proposing.ask_lock import AskLock
from colgan_search.search.proposing.history import History
from colgan_search.search.proposing.propose import Proposer
from colgan_search.search.study.opening import open_study
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import assert_exact, fake_config, make_study, rows_of, slot_tokens, wait_until
from tests.postgres import Postgres
from tests.proxy import Proxy

TOTAL = 2
AWAY_SECONDS = 0.4
CONFIG = fake_config(service={"lease_seconds": 4.0})


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    opened = Proxy(postgres.port)
    yield opened
    opened.close()


def _through(proxy: Proxy, url: str) -> str:
    return normalise_url(url).set(port=proxy.port).render_as_string(hide_password=False)


class Strike:
    """Takes the database away at the first call of a function."""

    def __init__(self, proxy: Proxy, owner: Any, name: str, when: str, patch: pytest.MonkeyPatch) -> None:
        self.proxy, self.when, self.calls = proxy, when, 0
        self._real: Callable[..., Any] = getattr(owner, name)
        strike = self

        def call(*arguments: Any, **options: Any) -> Any:
            return strike(*arguments, **options)

        patch.setattr(owner, name, call)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls != 1:
            return self._real(*arguments, **options)
        if self.when == "after":
            self._real(*arguments, **options)
        self.proxy.cut(AWAY_SECONDS)
        if self.when == "after":
            raise sa.exc.OperationalError("COMMIT", None, Exception("the answer was lost"))
        return self._real(*arguments, **options)


POINTS: dict[str, tuple[Any, str]] = {
    "entering": (Registry, "enter"),
    "claiming": (Slots, "claim"),
    "reading the history": (History, "refresh"),
    "taking the lock": (AskLock, "_take"),
    "suggesting": (space, "suggest_graph"),
    "binding": (Slots, "bind"),
    "writing a trial": (Proposer, "_write"),
    "renewing": (Slots, "renew"),
    "reporting": (Keeper, "_report"),
    "accepting": (Slots, "accept"),
    "telling": (deliver, "_tell"),
    "marking as told": (Slots, "mark_told"),
    "counting": (Slots, "budget"),
}
LONG = ("renewing", "reporting")
"""Points that only a trial of some seconds comes to: the first one lasts until they were called again."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("point", POINTS)
def test_nothing_is_lost_and_nothing_done_twice(
    point: str,
    when: str,
    proxy: Proxy,
    prepared_postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_study(prepared_postgres_url, TOTAL, CONFIG).storage.close()
    storage = open_storage(_through(proxy, prepared_postgres_url))
    strike = Strike(proxy, *POINTS[point], when, monkeypatch)

    def experiment(*arguments: Any) -> Outcome:
        outcome = FakeExperiment(0.0)(*arguments)
        if point in LONG:
            wait_until(lambda: strike.calls > 1, f"{point} again")
        return outcome

    worker = Worker(open_study(storage, "fake"), experiment, WorkFolder(tmp_path), "fake", threading.Event())
    worked = worker.run()
    storage.close()
    monkeypatch.undo()
    assert strike.calls > 1, "called again after the outage"
    # A result that was accepted without our hearing of it is told all the same, but not counted as this worker's.
    assert worked.finished and TOTAL - 1 <= worked.accepted <= TOTAL
    assert_exact(prepared_postgres_url, TOTAL, config=CONFIG)
    assert slot_tokens(prepared_postgres_url) == [1] * TOTAL, "no slot was claimed twice"
    assert list((tmp_path / "fake" / "spool").iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outage_while_a_slot_is_given_back_after_a_fault(
    when: str, proxy: Proxy, prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(prepared_postgres_url, TOTAL, CONFIG).storage.close()
    storage = open_storage(_through(proxy, prepared_postgres_url))
    experiment = FakeExperiment(0.05)
    failed: list[str] = []

    def fault_once(graph: Any, seed: int, folder: Path, *rest: Any) -> Any:
        if not failed:
            failed.append(folder.name)
            raise RuntimeError("out of luck")
        return experiment(graph, seed, folder, *rest)

    worker = Worker(open_study(storage, "fake"), fault_once, WorkFolder(tmp_path), "fake", threading.Event())
    strike = Strike(proxy, Slots, "release", when, monkeypatch)
    worked = worker.run()
    storage.close()
    monkeypatch.undo()
    assert worked.finished and strike.calls >= 2
    assert_exact(prepared_postgres_url, TOTAL, config=CONFIG)
    faults = [text for (text,) in rows_of(prepared_postgres_url, "SELECT faults FROM colgan_slots ORDER BY slot")]
    assert faults[0].count("RuntimeError: out of luck") == 1 and faults[1:] == ["[]"] * (TOTAL - 1)
    assert slot_tokens(prepared_postgres_url) == [2, 1]
