"""PostgreSQL stopped, its connections cut, its password changed, under working workers."""

import json
import re
import secrets
import time
from pathlib import Path

import pytest

from colgan_search.search.database.urls import normalise_url
from tests.fleet import (
    Fleet,
    assert_exact,
    at_work,
    fake_config,
    make_study,
    optuna_trials,
    rows_of,
    slot_tokens,
    wait_until,
)
from tests.postgres import PASSWORD, Postgres


def _stop_three_times(
    server: Postgres,
    url: str,
    work_dir: Path,
    *,
    workers: int,
    total: int,
    trial: float,
    lease: float,
    away: float,
    between: float,
) -> dict[int, int]:
    """How often each trial was begun."""
    config = fake_config(service={"lease_seconds": lease})
    make_study(url, total, config).storage.close()
    go = work_dir / "go"
    with Fleet(url, work_dir, trial, orders=f"until:{go}") as fleet:
        fleet.start(workers)
        wait_until(lambda: at_work(url) == workers, "all are at work")
        go.touch()
        for mode in ("fast", "immediate", "fast"):
            server.stop(mode)
            time.sleep(away)
            server.start()
            time.sleep(between)
        codes = fleet.wait(300)
        assert codes == [0] * workers, fleet.log()
    assert_exact(url, total, config=config)
    # A slot may be claimed twice: whoever loses the lock while it asks for a trial gives it back.
    return fleet.runs()


def test_postgresql_stopped_for_two_seconds_three_times(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    small = {"workers": 4, "total": 16, "trial": 1.0, "lease": 60.0, "away": 2.0, "between": 1.5}
    runs = _stop_three_times(frail_postgres, frail_url, tmp_path, **small)
    assert runs == dict.fromkeys(range(16), 1), "no trial was run twice"


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_postgresql_stopped_for_twenty_seconds_three_times(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    large = {"workers": 8, "total": 80, "trial": 3.0, "lease": 12.0, "away": 20.0, "between": 5.0}
    runs = _stop_three_times(frail_postgres, frail_url, tmp_path, **large)
    assert runs == dict.fromkeys(range(80), 1), "no trial was run twice"


def test_connections_that_the_server_ends_again_and_again(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    config = fake_config(service={"lease_seconds": 60.0})
    study = make_study(frail_url, 12, config)
    study.storage.close()
    database = normalise_url(frail_url).database
    kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    ended = 0
    go = tmp_path / "go"

    def done() -> int:
        return len(frail_postgres.execute("SELECT 1 FROM colgan_slots WHERE state = 'done'", str(database)))

    with Fleet(frail_url, tmp_path, 0.5, orders=f"until:{go}") as fleet:
        fleet.start(3)
        wait_until(lambda: at_work(frail_url) == 3, "all are at work")
        before = 0
        while before < 12 and fleet.living:
            ended += len(frail_postgres.execute(kill))
            go.touch()
            time.sleep(0.7)
            # Not again before something was done, or a slow machine would never get anything done.
            wait_until(lambda before=before: done() > before or not fleet.living, "a result between two cuts")
            before = done()
        codes = fleet.wait()
        assert codes == [0] * 3, fleet.log()
    assert ended >= 3
    assert_exact(frail_url, 12, config=config)
    assert fleet.runs() == dict.fromkeys(range(12), 1), "no trial was run twice"


def test_a_password_that_is_changed_and_changed_back(frail_postgres: Postgres, frail_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 600.0})
    go = tmp_path / "go"
    role = f"role_{secrets.token_hex(3)}"
    frail_postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE colgan")
    url = frail_postgres.url(str(normalise_url(frail_url).database), role)
    make_study(url, 6, config).storage.close()
    with Fleet(url, tmp_path, 0.5, orders=f"until:{go}") as fleet:
        fleet.start(2)
        wait_until(lambda: at_work(frail_url) == 2, "both are at work")
        frail_postgres.execute(f"ALTER ROLE {role} PASSWORD 'another'")
        frail_postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")
        go.touch()
        logs = [tmp_path / f"worker-{i}.log" for i in range(2)]
        again = re.compile(r"database away \(.*\), trying again in 0\.8 s")
        wait_until(lambda: all(again.search(log.read_text()) for log in logs), "both have tried three times")
        assert len(fleet.living) == 2, fleet.log()
        frail_postgres.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
        codes = fleet.wait()
        assert codes == [0, 0], fleet.log()
        assert not [f for f in tmp_path.glob("worker-*.log") if PASSWORD in f.read_text() or "p%40ss" in f.read_text()]
    assert_exact(frail_url, 6, config=config)
    assert slot_tokens(frail_url) == [1] * 6


def test_a_result_whose_worker_died_in_the_outage_is_delivered_by_the_next_one(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    config = fake_config(service={"lease_seconds": 60.0})
    make_study(frail_url, 2, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        first = fleet.start()
        wait_until(lambda: optuna_trials(frail_url) and optuna_trials(frail_url)[0].intermediate_values, "a report")
        frail_postgres.stop("immediate")
        go.touch()
        wait_until(lambda: list((tmp_path / "fake" / "spool").glob("*-0-1.json")), "the result on disk")
        fleet.kill(first)
        frail_postgres.start()
        fleet.start()
        assert fleet.wait()[1] == 0, fleet.log()
    assert_exact(frail_url, 2, config=config)
    assert slot_tokens(frail_url) == [1, 1], "what was on disk was not computed again"
    workers = [
        json.loads(text)["worker"] for (text,) in rows_of(frail_url, "SELECT outcome FROM colgan_slots ORDER BY 1")
    ]
    pids = {worker.split(":")[1] for worker in workers}
    assert pids == {str(process.pid) for process in fleet.processes}, "one result of each, the dead one's too"


def test_an_outage_beyond_the_limit_stops_the_worker_and_loses_nothing(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    config = fake_config(service={"lease_seconds": 6.0, "outage_minutes": 0.02})
    make_study(frail_url, 2, config).storage.close()
    go = tmp_path / "go"
    with Fleet(frail_url, tmp_path, 0.1, orders=f"until:{go}") as fleet:
        fleet.start()
        wait_until(lambda: optuna_trials(frail_url) and optuna_trials(frail_url)[0].intermediate_values, "a report")
        frail_postgres.stop()
        go.touch()
        assert fleet.wait() == [1], fleet.log()
        assert "Outage: delivering: the database has been away for" in fleet.log()
        assert list((tmp_path / "fake" / "spool").glob("*.json")), "the result waits on disk"
        frail_postgres.start()
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(frail_url, 2, config=config)
    assert slot_tokens(frail_url) == [1, 1]
