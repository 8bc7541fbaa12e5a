"""The SQL of docs/operations.md for real: a worker's role can work and cannot destroy."""

import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from colgan_search.cli.app import run
from colgan_search.file_names import WorkFolder
from colgan_search.search.artifacts.keeping import Picture
from colgan_search.search.artifacts.stores import store_of
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database.opening import open_storage
from colgan_search.search.delivering import deliver
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import create_or_open, open_study
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import fake_config, rows_of
from tests.integration import cli_helpers as helpers
from tests.integration.test_deliver import spooled
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


def _binaries(version: str) -> Path | None:
    """Where the programs of a server of this version are; None for the wheel's own. Skips if there are none."""
    if version == "18":
        return None
    folder = Path(f"/usr/lib/postgresql/{version}/bin")
    if not (folder / "initdb").exists():
        pytest.skip(f"there is no PostgreSQL {version} on this machine (Debian: apt install postgresql-{version})")
    return folder


@pytest.fixture(scope="module", params=["18", "15"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server of each version."""
    made = Postgres(tmp_path_factory.mktemp("server"), binaries=_binaries(request.param))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def urls(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """owner and worker -> URL, in a database set up word for word as documented, with a study of 4 trials."""
    tail = secrets.token_hex(4)
    names = {name: f"{name}_{tail}" for name in ("colgan_owner", "colgan_worker")}
    database = f"colgan_{tail}"
    for statement in filter(str.strip, _sql("superuser", {**names, "colgan": database}).split(";")):
        server.execute(statement)
    urls = {who.removeprefix("colgan_"): server.url(database, user=names[who]) for who in names}
    folder = tmp_path_factory.mktemp("roles")
    config = helpers.write_config(folder)
    made = helpers.run_cli(
        "launch", "--workers", 0, "--config", config, "--trials", 4, cwd=folder, COLGAN_STORAGE=urls["owner"]
    )
    assert made.returncode == 0, made.stderr
    assert "no workers here" in made.stderr
    for _ in range(2):  # it can be said again
        _execute(urls["owner"], _sql("owner", {**names, "colgan": database}))
    return urls


@pytest.fixture(scope="module")
def finished(urls: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """The exit codes of two workers of the worker's role that have done the study."""
    _execute(urls["worker"], "INSERT INTO colgan_files SELECT uid, 'classifier', '' FROM colgan_studies")
    folder = tmp_path_factory.mktemp("work")
    command = [sys.executable, "-m", "tests.fake_worker", "small", str(folder), "0.05"]
    environment = helpers.environment(COLGAN_STORAGE=urls["worker"])
    workers = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(2)]
    return [worker.wait(timeout=helpers.WAIT_SECONDS) for worker in workers]


def test_the_worker_role_finishes_a_study(urls: dict[str, str], finished: list[int]) -> None:
    assert finished == [0, 0]
    helpers.require_complete(urls["owner"], 4)


@pytest.mark.parametrize("sampler", ["tpe", "gp", "nsgaii"])
def test_the_worker_role_is_enough_for_every_sampler(sampler: str, urls: dict[str, str], tmp_path: Path) -> None:
    """Some samplers keep notes with the trials or the study."""
    config = fake_config(sampler, search={"sampler": sampler, "startup_trials": 2})
    owner = open_storage(urls["owner"])
    create_or_open(owner, config, sampler, 4).storage.close()
    storage = open_storage(urls["worker"])
    study = open_study(storage, sampler)
    worked = Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "fake", threading.Event()).run()
    storage.close()
    assert (worked.accepted, worked.finished) == (4, True)


def test_the_worker_role_is_enough_for_the_dashboards_pages(urls: dict[str, str], tmp_path: Path) -> None:
    """Pictures, of which some give way to others; notes on trials; the study's note and plots, made more than once."""
    config = fake_config("shown", artifacts={"max_megabytes": 0.0001})
    owner = open_storage(urls["owner"])
    create_or_open(owner, config, "shown", 3).storage.close()
    storage = open_storage(urls["worker"])
    study = open_study(storage, "shown")
    store = store_of(config.artifacts, storage, study.uid)
    shown = Showcase(study, store, lambda number, outcome, folder: [Picture("a.png", b"x" * 60)])
    Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "fake", threading.Event(), showcase=shown).run()
    storage.close()
    values = rows_of(
        urls["owner"],
        "SELECT value FROM trial_values JOIN trials USING (trial_id) JOIN studies USING"
        " (study_id) WHERE study_name = 'shown' ORDER BY number",
    )
    kept = rows_of(urls["owner"], f"SELECT trial_number FROM colgan_artifacts WHERE uid = '{study.uid}' AND bytes = 60")
    assert kept == [(max(range(3), key=lambda n: values[n]),)]
    keys = [
        key
        for (key,) in rows_of(
            urls["owner"],
            "SELECT key FROM study_system_attributes JOIN studies USING (study_id) WHERE study_name = 'shown'",
        )
    ]
    assert {"dashboard:note_ver", "dashboard:plot_data:best-so-far:0", "colgan:shown"} <= set(keys)
    assert len([key for key in keys if key.endswith("note_ver")]) == 3 + 1


GRANT, KEPT = psycopg2.errors.InsufficientPrivilege, psycopg2.errors.RestrictViolation
FIRST = "(SELECT min(trial_id) FROM trials)"
HOSTILE = {
    "DROP TABLE colgan_slots": GRANT,
    "DROP TABLE trials CASCADE": GRANT,
    "TRUNCATE trials CASCADE": GRANT,
    "DELETE FROM trials": GRANT,
    "DELETE FROM colgan_slots": GRANT,
    "DELETE FROM colgan_workers": GRANT,
    "DELETE FROM colgan_files": GRANT,
    "DELETE FROM colgan_artifacts": GRANT,
    "UPDATE colgan_artifacts SET uid = '../..'": GRANT,
    "DELETE FROM studies": GRANT,
    "ALTER TABLE colgan_slots DROP COLUMN outcome": GRANT,
    "CREATE TABLE mine (x int)": GRANT,
    "CREATE TEMP TABLE trials (trial_id int, state text)": GRANT,
    "CREATE ROLE evil": GRANT,
    "UPDATE colgan_schema SET version = 99": GRANT,
    "UPDATE alembic_version SET version_num = 'x'": GRANT,
    # config, uid, totals
    "UPDATE study_user_attributes SET value_json = '{}' WHERE key = 'config'": GRANT,
    "UPDATE study_user_attributes SET value_json = '\"../..\"' WHERE key = 'uid'": GRANT,
    "INSERT INTO study_user_attributes (study_id, key, value_json) SELECT study_id, 'x', '1' FROM studies": GRANT,
    "UPDATE colgan_studies SET uid = '../..'": GRANT,
    "UPDATE colgan_slots SET uid = '../..'": GRANT,
    "UPDATE colgan_studies SET total = 1": GRANT,
    "INSERT INTO colgan_studies (uid, total) VALUES ('x', 1)": GRANT,
    "INSERT INTO studies (study_name) VALUES ('../..')": GRANT,
    "UPDATE studies SET study_name = '../..'": GRANT,
    "UPDATE studies SET study_id = study_id + 1000": psycopg2.errors.ForeignKeyViolation,
    # the classifier, once it is stored, and who works
    "UPDATE colgan_files SET content = 'x'": GRANT,
    "INSERT INTO colgan_files SELECT uid, name, 'x' FROM colgan_files": psycopg2.errors.UniqueViolation,
    "UPDATE colgan_workers SET process = '{}'": GRANT,
    # graph, seed, scores of a trial that has ended
    "UPDATE trial_values SET value = 99": KEPT,
    f"INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES ({FIRST}, 1, 99, 'FINITE')": KEPT,
    f"UPDATE trial_user_attributes SET value_json = '1' WHERE trial_id = {FIRST}": KEPT,
    f"INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES ({FIRST}, 'diverged', '1')": KEPT,
    f"INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES ({FIRST}, 'x', '1')": KEPT,
    "UPDATE trial_intermediate_values SET intermediate_value = 99": KEPT,
    f"INSERT INTO trial_params (trial_id, param_name) VALUES ({FIRST}, 'x')": KEPT,
    "UPDATE trial_params SET param_value = 0": GRANT,
    "UPDATE trials SET state = 'RUNNING'": KEPT,
    "UPDATE trials SET number = number + 1": KEPT,
    "UPDATE colgan_slots SET outcome = '{}'": KEPT,
    "UPDATE colgan_slots SET state = 'free'": KEPT,
    "UPDATE colgan_slots SET state = 'failed', faults = '[]'": KEPT,
    "UPDATE colgan_slots SET token = 0": KEPT,
    # what keeps them
    "DROP FUNCTION colgan_keep_part CASCADE": GRANT,
    "ALTER TABLE trials DISABLE TRIGGER ALL": GRANT,
    "SET session_replication_role = replica": GRANT,
}


def test_the_worker_role_cannot_destroy(urls: dict[str, str], finished: list[int]) -> None:
    before = _everything(urls["owner"])
    assert all(before[table] for table in ("trial_values", "trial_params", "colgan_slots", "colgan_files"))
    refused = {}
    for statement in HOSTILE:
        try:
            _execute(urls["worker"], statement)
        except psycopg2.Error as error:
            refused[statement] = type(error)
    assert refused == HOSTILE
    assert _everything(urls["owner"]) == before


def _everything(url: str) -> dict[str, list[str]]:
    tables = [name for (name,) in rows_of(url, "SELECT relname FROM pg_stat_user_tables")]
    every = " UNION ALL ".join(f"SELECT '{name}', t::text FROM {name} t" for name in tables)
    rows = rows_of(url, every)
    return {table: sorted(row for name, row in rows if name == table) for table in tables}


def test_nobody_changes_an_ended_trial_through_an_old_view_of_it(urls: dict[str, str], finished: list[int]) -> None:
    """A transaction that began while the trial ran sees it running for ever."""
    study = create_or_open(open_storage(urls["owner"]), fake_config("late"), "late", 1)
    claim = study.slots.claim("w", 600.0)
    assert claim is not None
    task = propose.assign(study, claim)
    late = psycopg2.connect(urls["worker"])
    late.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ)
    with late, late.cursor() as cursor:
        cursor.execute("SELECT 1 FROM trials")
        assert study.slots.accept(claim, deliver.outcome_text(spooled(study, task)))
        deliver.tell_closings(study)
        running = "trial_id = (SELECT trial_id FROM trials WHERE state = 'RUNNING')"
        with pytest.raises(psycopg2.errors.SerializationFailure):
            cursor.execute(f"UPDATE trial_user_attributes SET value_json = '1' WHERE key = 'seed' AND {running}")
    late.close()
    study.storage.close()


def test_doctor_is_content_with_the_worker_role(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["doctor", "--storage", urls["worker"]]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_a_role_without_grants_is_told_what_is_missing(
    urls: dict[str, str], server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    role = f"nobody_{secrets.token_hex(4)}"
    server.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")
    database = urls["owner"].rsplit("/", 1)[1]
    code = run(["status", "--storage", server.url(database, user=role), "--work-dir", str(tmp_path)])
    printed = capsys.readouterr().err
    assert code == 2, printed
    assert "permission denied" in printed
    assert "Traceback" not in printed
