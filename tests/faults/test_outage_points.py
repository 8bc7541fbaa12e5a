"""The database goes away at each point of a trial in turn, before the call or between the deed and its answer."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from colgan_search.files import WorkFolder
from colgan_search.search import propose, space
from colgan_search.search.keeper import Keeper
from colgan_search.search.registry import Registry
from colgan_search.search.slots import Slots
from colgan_search.search.storage import open_storage
from colgan_search.search.study import open_study
from colgan_search.search.urls import normalise_url
from colgan_search.search.worker import Worked, Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import assert_exact, fake_config, make_study, rows_of, slot_tokens
from tests.postgres import Postgres
from tests.proxy import Proxy

TOTAL = 3
AWAY_SECONDS = 0.5
CONFIG = fake_config(service={"lease_seconds": 6.0})


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    opened = Proxy(postgres.port)
    yield opened
    opened.close()


class Strike:
    """Takes the database away at the `at`-th call of a function."""

    def __init__(self, proxy: Proxy, owner: Any, name: str, when: str, at: int, patch: pytest.MonkeyPatch) -> None:
        self.proxy, self.when, self.at, self.calls = proxy, when, at, 0
        self._real: Callable[..., Any] = getattr(owner, name)
        strike = self

        def call(*arguments: Any, **options: Any) -> Any:
            return strike(*arguments, **options)

        patch.setattr(owner, name, call)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls != self.at:
            return self._real(*arguments, **options)
        if self.when == "after":
            self._real(*arguments, **options)
        self.proxy.cut(AWAY_SECONDS)
        if self.when == "after":
            raise sa.exc.OperationalError("COMMIT", None, Exception("the answer was lost"))
        return self._real(*arguments, **options)


POINTS: dict[str, tuple[Any, str, int]] = {
    "entering": (Registry, "enter", 1),
    "claiming": (Slots, "claim", 2),
    "asking": (optuna.Study, "ask", 2),
    "suggesting": (space, "suggest_graph", 2),
    "binding": (Slots, "bind", 2),
    "assigning": (propose, "assign", 2),
    "renewing": (Slots, "renew", 1),
    "reporting": (Keeper, "_report", 2),
    "accepting": (Slots, "accept", 2),
    "telling": (optuna.Study, "tell", 2),
    "marking as told": (Slots, "mark_told", 2),
    "counting": (Slots, "budget", 1),
}


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
    through_proxy = normalise_url(prepared_postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
    storage = open_storage(through_proxy)
    # Long enough for a renewal where that is struck.
    experiment = FakeExperiment(2.0 if point == "renewing" else 0.05)
    worker = Worker(open_study(storage, "fake"), experiment, WorkFolder(tmp_path), "fake", threading.Event())
    owner, name, at = POINTS[point]
    strike = Strike(proxy, owner, name, when, at, monkeypatch)
    worked = worker.run()
    storage.close()
    monkeypatch.undo()
    assert strike.calls > at or point in ("entering", "counting"), "the study went on after the outage"
    assert worked == Worked(TOTAL, finished=True) or point in ("accepting", "marking as told")
    assert worked.finished
    assert_exact(prepared_postgres_url, TOTAL, config=CONFIG)
    assert slot_tokens(prepared_postgres_url) == [1] * TOTAL, "no slot was claimed twice"
    assert list((tmp_path / "fake" / "spool").iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_outage_while_a_slot_is_given_back_after_a_fault(
    when: str, proxy: Proxy, prepared_postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_study(prepared_postgres_url, TOTAL, CONFIG).storage.close()
    through_proxy = normalise_url(prepared_postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
    storage = open_storage(through_proxy)
    experiment = FakeExperiment(0.05)
    failed: list[str] = []

    def fault_once(graph: Any, seed: int, folder: Path, *rest: Any) -> Any:
        if not failed:
            failed.append(folder.name)
            raise RuntimeError("out of luck")
        return experiment(graph, seed, folder, *rest)

    worker = Worker(open_study(storage, "fake"), fault_once, WorkFolder(tmp_path), "fake", threading.Event())
    strike = Strike(proxy, Slots, "release", when, 1, monkeypatch)
    worked = worker.run()
    storage.close()
    monkeypatch.undo()
    assert worked.finished and strike.calls == 2
    assert_exact(prepared_postgres_url, TOTAL, config=CONFIG)
    faults = [text for (text,) in rows_of(prepared_postgres_url, "SELECT faults FROM colgan_slots ORDER BY slot")]
    assert faults[0].count("RuntimeError: out of luck") == 1 and faults[1:] == ["[]"] * (TOTAL - 1)
    assert slot_tokens(prepared_postgres_url) == [2, 1, 1]
