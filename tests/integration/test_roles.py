"""The SQL of docs/operations.md for real: a worker's role can work and cannot destroy."""

import re
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from colgan_search.cli.app import run
from colgan_search.search.storage import open_storage
from colgan_search.search.study import open_study
from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.slow

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def _sql(who: str, names: dict[str, str]) -> str:
    """The block for `who` in the documentation, with the test's own names and password."""
    text = OPERATIONS.read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- sql: {who} -->\n```sql\n(.*?)```", text, re.DOTALL)
    for name, ours in names.items():
        block = re.sub(rf"\b{name}\b", ours, block)
    return re.sub(r"PASSWORD '[^']*'", f"PASSWORD '{PASSWORD}'", block)


def _execute(url: str, sql: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def urls(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """owner and worker -> URL, in a database set up word for word as documented, with a study of 4 trials."""
    tail = secrets.token_hex(4)
    names = {name: f"{name}_{tail}" for name in ("colgan_owner", "colgan_worker")}
    database = f"colgan_{tail}"
    for statement in filter(str.strip, _sql("superuser", {**names, "colgan": database}).split(";")):
        postgres.execute(statement)
    urls = {who.removeprefix("colgan_"): postgres.url(database, user=names[who]) for who in names}
    folder = tmp_path_factory.mktemp("roles")
    config = helpers.write_config(folder)
    made = helpers.run_cli(
        "launch", "--workers", 0, "--config", config, "--trials", 4, cwd=folder, COLGAN_STORAGE=urls["owner"]
    )
    assert made.returncode == 0, made.stderr
    assert "no workers here" in made.stderr
    _execute(urls["owner"], _sql("owner", {**names, "colgan": database}))
    return urls


def test_the_worker_role_finishes_a_study(urls: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fake_worker", "small", str(tmp_path / "work"), "0.05"]
    environment = helpers.environment(COLGAN_STORAGE=urls["worker"])
    workers = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [worker.wait(timeout=helpers.WAIT_SECONDS) for worker in workers] == [0, 0]
    helpers.require_complete(urls["owner"], 4)


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE colgan_slots",
        "DROP TABLE trials CASCADE",
        "TRUNCATE trials CASCADE",
        "DELETE FROM trials",
        "DELETE FROM colgan_slots",
        "DELETE FROM studies",
        "ALTER TABLE colgan_slots DROP COLUMN outcome",
        "CREATE TABLE mine (x int)",
        "UPDATE colgan_schema SET version = 99",
        "UPDATE alembic_version SET version_num = 'x'",
        "CREATE ROLE evil",
    ],
)
def test_the_worker_role_cannot_destroy(statement: str, urls: dict[str, str]) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        _execute(urls["worker"], statement)
    assert open_study(open_storage(urls["owner"]), "small").slots.budget().total == 4


def test_doctor_is_content_with_the_worker_role(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["doctor", "--storage", urls["worker"]]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_a_role_without_grants_is_told_what_is_missing(
    urls: dict[str, str], postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = f"nobody_{secrets.token_hex(4)}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    database = urls["owner"].rsplit("/", 1)[1]
    code = run(["status", "--storage", postgres.url(database, user=role), "--work-dir", str(tmp_path)])
    printed = capsys.readouterr().err
    assert code == 2, printed
    assert "permission denied" in printed
    assert "Traceback" not in printed
