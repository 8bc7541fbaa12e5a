"""Output that cannot be written, and rights that are missing: one line that says so, never a traceback."""

import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

FULL = Path("/dev/full")

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of 2 results in its work folder."""
    place = tmp_path_factory.mktemp("output")
    (place / "colgan_work").mkdir()
    url = f"sqlite:///{place / 'colgan_work' / 'studies.db'}"
    helpers.fake_study(url, helpers.small_config(place), total=2, done=2).storage.close()
    return place


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "best --help",
        "status",
        "status --json",
        "trials",
        "trials --json",
        "trials --format csv",
        "best",
        "best --json",
        "graphs",
        "graphs --k 2 --list",
        "graphs buffer --k 3 --json",
        "clean",
        "doctor",
        "figures",
        "evaluate --real --config small.yaml --json",
    ],
)
def test_a_full_disk_behind_the_output_is_said_in_one_line(line: str, place: Path) -> None:
    with FULL.open("w") as full:
        ended = subprocess.run(
            helpers.command(*line.split()),
            cwd=place,
            env=helpers.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=helpers.WAIT_SECONDS,
        )
    assert ended.returncode == 1, ended.stderr
    assert ended.stderr.splitlines()[-1] == "error: the output cannot be written: No space left on device"
    assert "Traceback" not in ended.stderr and "Exception ignored" not in ended.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    program = subprocess.Popen(
        helpers.command("graphs", "--k", 3, "--list"),
        cwd=tmp_path,
        env=helpers.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdout is not None and program.stderr is not None
    program.stdout.readline()
    program.stdout.close()
    said = program.stderr.read()
    program.stderr.close()
    assert program.wait(timeout=helpers.WAIT_SECONDS) == 1
    assert said == b""


def test_a_note_that_cannot_be_told_ends_nothing(tmp_path: Path) -> None:
    program = "from colgan_search.cli import console; console.note('reading'); console.out('went on')"
    with FULL.open("w") as full:
        command = [sys.executable, "-c", program]
        said = subprocess.run(
            command, env=helpers.environment(), cwd=tmp_path, stdout=subprocess.PIPE, stderr=full, text=True
        ).stdout
    assert said == "went on\n"


@pytest.mark.slow
def test_a_worker_without_a_grant_says_which(postgres: Postgres, tmp_path: Path) -> None:
    owner = postgres.new_database()
    helpers.fake_study(owner, helpers.small_config(tmp_path), total=3, done=1).storage.close()
    name = owner.rsplit("/", 1)[1]
    role = f"weak_{name}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    connection = psycopg2.connect(owner)
    with connection, connection.cursor() as cursor:
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}")
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}")
        cursor.execute(f"REVOKE INSERT ON colgan_files FROM {role}")
    connection.close()
    ended = helpers.run_cli("worker", "--study", "small", "--storage", postgres.url(name, user=role), cwd=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr and "defect" not in ended.stderr
    (said,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "permission denied for table colgan_files" in said and "docs/operations.md" in said
    assert [trial.number for trial in helpers.trials_of(owner) if trial.state.is_finished()] == [0]
