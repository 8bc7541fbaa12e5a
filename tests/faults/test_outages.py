"""PostgreSQL stopped, its connections cut, its password changed, under working workers."""

import json
import secrets
import time
from pathlib import Path

import pytest

from colgan_search.search.urls import normalise_url
from tests.fleet import (
    Fleet,
    assert_exact,
    fake_config,
    make_study,
    optuna_trials,
    rows_of,
    slot_tokens,
    wait_until,
)
from tests.postgres import PASSWORD, Postgres


def _stop_three_times(
    server: Postgres, url: str, work_dir: Path, *, workers: int, total: int, trial: float, away: float, between: float
) -> None:
    config = fake_config(service={"lease_seconds": 6.0})
    make_study(url, total, config).storage.close()
    with Fleet(url, work_dir, trial) as fleet:
        fleet.start(workers)
        wait_until(
            lambda: len(rows_of(url, "SELECT 1 FROM colgan_slots WHERE trial_number IS NOT NULL")) >= workers, ""
        )
        for mode in ("fast", "immediate", "fast"):
            server.stop(mode)
            time.sleep(away)
            server.start()
            time.sleep(between)
        codes = fleet.wait(300)
        assert codes == [0] * workers, fleet.log()
    assert_exact(url, total, config=config)
    assert slot_tokens(url) == [1] * total, "no trial was run twice"


def test_postgresql_stopped_for_two_seconds_three_times(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    _stop_three_times(frail_postgres, frail_url, tmp_path, workers=4, total=16, trial=1.0, away=2.0, between=1.5)


@pytest.mark.endurance
@pytest.mark.timeout(600)
def test_postgresql_stopped_for_twenty_seconds_three_times(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    _stop_three_times(frail_postgres, frail_url, tmp_path, workers=8, total=80, trial=3.0, away=20.0, between=5.0)


def test_connections_that_the_server_ends_again_and_again(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    config = fake_config(service={"lease_seconds": 6.0})
    study = make_study(frail_url, 12, config)
    study.storage.close()
    database = normalise_url(frail_url).database
    ended = 0
    with Fleet(frail_url, tmp_path, 0.5) as fleet:
        fleet.start(3)
        begun = "SELECT 1 FROM colgan_slots WHERE trial_number IS NOT NULL"
        wait_until(lambda: len(frail_postgres.execute(begun, str(database))) >= 3, "all workers are at work")
        done = "SELECT count(*) FROM colgan_slots WHERE state = 'done'"
        while frail_postgres.execute(done, str(database)) != [(12,)] and fleet.living:
            kill = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
            ended += len(frail_postgres.execute(kill))
            time.sleep(0.7)
        codes = fleet.wait()
        assert codes == [0] * 3, fleet.log()
    assert ended >= 3
    assert_exact(frail_url, 12, config=config)
    assert slot_tokens(frail_url) == [1] * 12


def test_a_password_that_is_changed_and_changed_back(frail_postgres: Postgres, frail_url: str, tmp_path: Path) -> None:
    config = fake_config(service={"lease_seconds": 6.0})
    role = f"role_{secrets.token_hex(3)}"
    frail_postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE colgan")
    url = frail_postgres.url(str(normalise_url(frail_url).database), role)
    make_study(url, 6, config).storage.close()
    with Fleet(url, tmp_path, 1.0) as fleet:
        fleet.start(2)
        wait_until(lambda: rows_of(frail_url, "SELECT 1 FROM colgan_slots WHERE state = 'done'"), "a first result")
        frail_postgres.execute(f"ALTER ROLE {role} PASSWORD 'another'")
        frail_postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'")
        time.sleep(2.5)
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
    with Fleet(frail_url, tmp_path, 3.0) as fleet:
        first = fleet.start()
        wait_until(lambda: optuna_trials(frail_url) and optuna_trials(frail_url)[0].intermediate_values, "a report")
        frail_postgres.stop("immediate")
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
    with Fleet(frail_url, tmp_path, 3.0) as fleet:
        fleet.start()
        wait_until(lambda: optuna_trials(frail_url) and optuna_trials(frail_url)[0].intermediate_values, "a report")
        frail_postgres.stop()
        assert fleet.wait() == [1], fleet.log()
        assert "Outage: delivering: the database has been away for" in fleet.log()
        assert list((tmp_path / "fake" / "spool").glob("*.json")), "the result waits on disk"
        frail_postgres.start()
        fleet.start()
        assert fleet.wait() == [1, 0], fleet.log()
    assert_exact(frail_url, 2, config=config)
    assert slot_tokens(frail_url) == [1, 1]
