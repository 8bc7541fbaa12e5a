"""Workers that start while PostgreSQL is away: alone, or in the place of one that died meanwhile."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from tests.fleet import rows_of
from tests.integration import cli_helpers as helpers
from tests.postgres import Postgres


def test_a_worker_waits_for_its_database(frail_postgres: Postgres, frail_url: str, tmp_path: Path) -> None:
    config = helpers.small_config(tmp_path)
    create_or_open(open_storage(frail_url), config, "small", 1).storage.close()
    frail_postgres.stop()
    arguments = ("worker", "--study", "small", "--wait-for-database")
    hasty = helpers.run_cli(*arguments, 0, cwd=tmp_path, COLGAN_STORAGE=frail_url)
    assert hasty.returncode == 2 and "Connection refused" in hasty.stderr, "not asked to wait"
    short = helpers.run_cli(*arguments, 0.02, cwd=tmp_path, COLGAN_STORAGE=frail_url)
    assert short.returncode == 1 and "opening the study: the database has been away for" in short.stderr
    patient = helpers.start_cli(*arguments, 5, cwd=tmp_path, COLGAN_STORAGE=frail_url)
    drained = helpers.start_cli(*arguments, 5, cwd=tmp_path, COLGAN_STORAGE=frail_url)
    try:
        waits = "opening the study: database away"
        outputs = list(tmp_path.glob("output-*.txt"))
        helpers.wait_for(lambda: all(waits in output.read_text() for output in outputs), "both to wait")
        assert helpers.end(drained, signal.SIGTERM) == 0, "a drain while it waits"
        frail_postgres.start()
        assert patient.wait(helpers.WAIT_SECONDS) == 0, _outputs(tmp_path)
    finally:
        for process in (patient, drained):
            helpers.end(process)
    helpers.require_complete(frail_url, 1)


def _outputs(folder: Path) -> str:
    return "\n".join(path.read_text() for path in folder.glob("output-*.txt"))


@pytest.mark.slow
def test_launch_replaces_a_worker_that_died_in_an_outage(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    config = helpers.write_config(tmp_path, training__epochs=15)
    arguments = ("launch", "--config", config, "--trials", 2, "--workers", 1)
    launch = helpers.start_cli(*arguments, cwd=tmp_path, COLGAN_STORAGE=frail_url)
    try:
        training = "SELECT 1 FROM colgan_workers WHERE state = 'training' AND epoch >= 1"
        helpers.wait_for(lambda: rows_of(frail_url, training), "the worker to train")
        (worker,) = psutil.Process(launch.pid).children()
        worker.suspend()  # it cannot end its trial before the server has stopped
        frail_postgres.stop()
        worker.kill()

        def replaced() -> bool:
            return [child.pid for child in psutil.Process(launch.pid).children()] not in ([], [worker.pid])

        helpers.wait_for(replaced, "launch to start another")
        logs = tmp_path / "colgan_work" / "small" / "logs"
        waits = "opening the study: database away"
        helpers.wait_for(lambda: any(waits in log.read_text() for log in logs.glob("*.log")), "the new one to wait")
        time.sleep(1.0)
        frail_postgres.start()
        assert launch.wait(helpers.WAIT_SECONDS) == 0, _outputs(tmp_path)
    finally:
        helpers.end(launch, signal.SIGTERM)
    line = r"(?m)^\d{4}-\d\d-\d\dT[\d:.]+Z WARNING - trial=- worker 0 died \(SIGKILL\); started again$"
    assert re.search(line, _outputs(tmp_path)), _outputs(tmp_path)
    helpers.require_complete(frail_url, 2)
    assert rows_of(frail_url, "SELECT token FROM colgan_slots ORDER BY slot") == [(2,), (1,)]


DRAINED = """
import sys
from types import SimpleNamespace
from colgan_search.api.launching import Launched
from colgan_search.cli.app import main
def poll():
    print("ready", flush=True)
    sys.stdin.readline()
    return 0
workers = SimpleNamespace(poll=poll, draining=True, failed=[], refused=False, stays=None)
Launched.start_workers = lambda self: workers
main()
"""


def test_launch_that_is_drained_in_an_outage_ends_well(
    frail_postgres: Postgres, frail_url: str, tmp_path: Path
) -> None:
    """Its workers have left by then; the database is stopped just before launch would ask how far the study is."""
    config = helpers.write_config(tmp_path)
    command = [sys.executable, "-c", DRAINED, "launch", "--config", str(config), "--trials", "2", "--workers", "1"]
    environment = helpers.environment(COLGAN_STORAGE=frail_url)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, text=True, **pipes) as launch:
        assert launch.stdout is not None and launch.stdout.readline() == "ready\n"
        frail_postgres.stop()
        _, said = launch.communicate("\n", timeout=helpers.WAIT_SECONDS)
    assert launch.returncode == 0, said
    assert "stopped while the database is away; the same command goes on from here" in said
