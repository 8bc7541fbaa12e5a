"""A password with @ : / and % in it, through real workers: it shows nowhere, whatever goes wrong or well."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.slow

TELLTALES = (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=""), "p@ss", "p%40ss", "p%40ss".upper(), "rd%1", "rd%251")


def _require_hidden(where: str, text: str) -> None:
    assert [part for part in TELLTALES if part in text] == [], where


def _require_hidden_below(folder: Path) -> int:
    """No file below the folder shows it; the number of files."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in files:
        _require_hidden(str(path), path.read_bytes().decode("utf-8", errors="replace"))
    return len(files)


def _command_lines(root: int) -> list[str]:
    """What `ps` shows of a process and all its descendants."""
    lines = []
    for process in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]:
        try:
            lines.append(Path(f"/proc/{process.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return lines


def test_a_search_that_goes_well(postgres_url: str, tmp_path: Path) -> None:
    path = helpers.write_config(tmp_path)
    launch = helpers.start_cli(
        "launch", "--config", path, "--trials", 2, "--workers", 1, cwd=tmp_path, COLGAN_STORAGE=postgres_url
    )
    seen: set[str] = set()
    try:
        while launch.poll() is None:
            try:
                seen.update(_command_lines(launch.pid))
            except psutil.NoSuchProcess:
                break
            try:
                launch.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        assert launch.wait(helpers.WAIT_SECONDS) == 0
    finally:
        helpers.end(launch)
    assert any(" worker " in line for line in seen), "the worker was seen"
    for line in seen:
        _require_hidden("command line", line)
    assert _require_hidden_below(tmp_path) >= 5
    assert len(list((tmp_path / "colgan_work/small/logs").glob("*.log"))) == 1
    text = subprocess.run(
        [sys.executable, "-c", "import sys, sqlalchemy as sa\n" + DUMP, postgres_url], capture_output=True, check=True
    )
    _require_hidden("the database", text.stdout.decode())


DUMP = """
engine = sa.create_engine(sys.argv[1].replace("postgresql:", "postgresql+psycopg2:"))
tables = sa.MetaData()
tables.reflect(engine)
with engine.connect() as db:
    for table in tables.sorted_tables:
        for row in db.execute(sa.select(table)):
            print(tuple(row))
"""


@pytest.mark.parametrize(
    ("fault", "as_json"),
    [("refused", True), ("wrong user", False), ("no database", True), ("no TLS", False), ("not a URL", False)],
)
def test_a_worker_that_cannot_connect(fault: str, as_json: bool, postgres: Postgres, tmp_path: Path) -> None:
    right = postgres.url("postgres")
    url = {
        "refused": right.replace(f":{postgres.port}/", ":1/"),
        "wrong user": postgres.url("postgres", user="nobody"),
        "no database": postgres.url("missing"),
        "no TLS": f"{right}?sslmode=require",
        "not a URL": f"postgresql://colgan:{PASSWORD}@127.0.0.1:{postgres.port}/postgres",
    }[fault]
    arguments = ["worker", "--study", "small", "--log-file", "worker.log", *(["--json"] if as_json else [])]
    ran = helpers.run_cli(*arguments, cwd=tmp_path, COLGAN_STORAGE=url)
    assert ran.returncode == 2, ran.stderr
    if as_json:
        assert [json.loads(line)["level"] for line in ran.stderr.splitlines()][-1] == "ERROR"
    else:
        assert "error: " in ran.stderr
    assert "Traceback" not in ran.stderr
    _require_hidden("output", ran.stdout + ran.stderr)
    _require_hidden_below(tmp_path)


def test_the_environment_of_libpq(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    helpers.fake_study(postgres_url, helpers.small_config(tmp_path), total=1, done=1)
    url = postgres_url.replace(f":{quote(PASSWORD, safe='')}@", "@")
    assert PASSWORD not in url
    ran = helpers.run_cli("status", "--json", cwd=tmp_path, COLGAN_STORAGE=url, PGPASSWORD=PASSWORD)
    assert ran.returncode == 0, ran.stderr
    _require_hidden("output", ran.stdout + ran.stderr)
    keywords = f"host=127.0.0.1 port={postgres.port} dbname=missing user=colgan password={PASSWORD}"
    ran = helpers.run_cli("status", cwd=tmp_path, COLGAN_STORAGE=keywords)
    assert ran.returncode == 2
    _require_hidden("output", ran.stdout + ran.stderr)


def test_a_worker_whose_database_goes_away(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "server")
    server.start()
    try:
        url = server.new_database()
        config = helpers.small_config(tmp_path, service__outage_minutes=0.03)
        helpers.fake_study(url, config, total=10_000, done=0)
        log = tmp_path / "work" / "small" / "logs" / "worker.log"
        code = (
            "import os, sys; from pathlib import Path; from tests import fake_worker; "
            f"fake_worker.serve(os.environ['COLGAN_STORAGE'], 'small', Path('work'), 0.2, log_file=Path({str(log)!r}))"
        )
        with (tmp_path / "output").open("w") as output:
            worker = subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=tmp_path,
                env=helpers.environment(COLGAN_STORAGE=url),
                stdout=output,
                stderr=output,
            )
        try:
            helpers.wait_for(lambda: log.exists() and "result accepted" in log.read_text(), "a result")
            server.stop("immediate")
            assert worker.wait(helpers.WAIT_SECONDS) == 1
        finally:
            helpers.end(worker)
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop("immediate")
    # At once too late for another try, on a busy machine, or after some tries.
    assert re.search("database (has been )?away", log.read_text())
    assert _require_hidden_below(tmp_path) >= 3
    assert os.environ.get("COLGAN_STORAGE") is None
