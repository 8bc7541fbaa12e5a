"""`doctor` sees what is wrong, says what to do, and its exit code says whether there is an error."""

import dataclasses
import json
import shutil
import socket
import subprocess
from collections import namedtuple
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from colgan_search.api import doctoring, health
from colgan_search.cli.app import run
from colgan_search.files import FREE_SPACE_FLOOR_BYTES
from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.care import probe
from colgan_search.search.database import tables
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.storage import Storage
from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

Checks = dict[str, dict[str, str]]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _doctor(capsys: pytest.CaptureFixture[str], *arguments: str, code: int) -> Checks:
    """Runs `doctor --json`; its checks by name."""
    returned = run(["doctor", "--json", *arguments])
    printed = capsys.readouterr()
    assert PASSWORD not in printed.out + printed.err
    found: dict[str, Any] = json.loads(printed.out)
    levels = [check["level"] for check in found["checks"]]
    assert (found["errors"], found["warnings"]) == (levels.count("error"), levels.count("warning"))
    assert returned == code == (1 if "error" in levels else 0), printed.out
    assert all(check["advice"] for check in found["checks"] if check["level"] != "ok")
    return {check["name"]: check for check in found["checks"]}


def test_with_nothing_configured(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    checks = _doctor(capsys, code=0)
    assert {"versions", "memory", "disk", "data", "database", "spooled results"} <= set(checks)
    assert "not there yet" in checks["database"]["what"]
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_a_healthy_study(
    storage_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLOW_SECONDS", "SKEW_SECONDS"):  # not of a busy machine
        monkeypatch.setattr(doctoring, name, 60.0)
    helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=2)
    checks = _doctor(capsys, "--storage", storage_url, code=0)
    connections = checks.pop("connections", None)
    if storage_url.startswith("postgresql"):  # the test's server has PostgreSQL's own defaults
        assert connections is not None and "max_connections is 100, 3 of them reserved" in connections["what"]
        assert "about 87 workers fit" in connections["what"]
    assert {name: check["level"] for name, check in checks.items() if name not in ("memory", "disk")} == {
        "versions": "ok",
        "gpu": "ok",  # the config asks for the CPU
        "config": "ok",
        "data": "ok",
        "weights": "ok",
        "database": "ok",
        "clock": "ok",
        "schema": "ok",
        "study small": "ok",
        "study small: leases": "ok",
        "study small: workers": "ok",
        "spooled results": "ok",
        "privacy": "ok",
    }
    assert "2 of 4 results, 0 running" in checks["study small"]["what"]
    assert "ms" in checks["database"]["what"]


def test_what_is_wrong_with_a_study(storage_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = helpers.small_config(tmp_path, service__max_faults=1)
    study = helpers.fake_study(storage_url, config, total=4, done=1)
    poisoned = study.slots.claim("far:1:00000002", 60.0)
    assert poisoned is not None
    assert study.slots.bind(poisoned, 17)
    assert study.slots.release(poisoned, "CUDA error", 1)
    assert study.slots.claim("far:1:00000001", -5.0) is not None
    registry = Registry(study.storage, study.uid)
    other = dataclasses.replace(ProcessId.mine(), host="far", machine="another machine")
    registry.enter(other, "cuda:0")
    silent = dataclasses.replace(other, host="silent")
    registry.enter(silent, "cuda:0")
    with study.storage.transaction() as db:
        rows = tables.workers.update()
        db.execute(rows.where(tables.workers.c.worker == other.name).values(version="0.0.9"))
        db.execute(rows.where(tables.workers.c.worker == silent.name).values(seen=0.0))
    spool = tmp_path / "colgan_work" / "small" / "spool"
    spool.mkdir(parents=True)
    (spool / f"{study.uid}-1-1.json").write_text("{}")
    checks = _doctor(capsys, "--storage", storage_url, "--study", "small", code=0)
    warned = {name: check["what"] for name, check in checks.items() if check["level"] == "warning"}
    assert "1 graphs failed" in warned["study small"]
    assert "far:1:00000001" in warned["study small: leases"]
    assert f"{other.name} run 0.0.9" in warned["study small: workers"]
    assert "1 at work, 1 gone without a word" in warned["study small: workers"]
    assert "1 accepted that Optuna does not know yet" in warned["study small: results"]
    assert "1 of study small" in warned["spooled results"]


def test_an_unreachable_database(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        spool = tmp_path / "colgan_work" / "other" / "spool"
        spool.mkdir(parents=True)
        (spool / "uid-1-1.json").write_text("{}")
        checks = _doctor(capsys, "--storage", f"postgresql://u:p%40ss%3Aw%2Frd%251@127.0.0.1:{port}/d", code=1)
    assert checks["database"]["level"] == "error"
    assert "Connection refused" in checks["database"]["what"]
    assert "1 of study other" in checks["spooled results"]["what"]


def test_a_wrong_password(postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    checks = _doctor(capsys, "--storage", postgres.url("postgres", password="p@ss:wrong"), code=1)
    assert "password authentication failed" in checks["database"]["what"]


def test_a_server_that_takes_no_writes(
    postgres: Postgres, postgres_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    helpers.fake_study(postgres_url, helpers.small_config(tmp_path), total=1, done=1)
    name = postgres_url.rsplit("/", 1)[1]
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    checks = _doctor(capsys, "--storage", postgres_url, code=1)
    assert checks["rights"]["level"] == "error"
    assert "read-only transaction" in checks["rights"]["what"]


def test_another_schema_and_another_version(
    storage_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=1, done=0)
    study.load().set_user_attr("version", "0.0.9")
    assert "0.0.9" in _doctor(capsys, "--storage", storage_url, code=1)["study small"]["what"]
    with study.storage.transaction() as db:
        db.execute(tables.schema.update().values(version=99))
    checks = _doctor(capsys, "--storage", storage_url, code=1)
    assert "version 99, this package needs" in checks["schema"]["what"]


def test_the_skew_is_the_databases_clock_less_ours(storage_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(storage_url, create=True)
    real = probe.time.time
    assert abs(probe.probe(storage).skew) < 60.0
    monkeypatch.setattr(probe.time, "time", lambda: real() - 3600.0)
    assert 3540.0 < probe.probe(storage).skew < 3660.0


def test_a_probe_changes_nothing(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=2)
    with study.storage.transaction() as db:
        db.execute(tables.studies.insert().values(uid="", total=7))
    assert probe.probe(study.storage).refused is None
    with study.storage.engine.connect() as db:
        assert db.execute(sa.select(tables.studies.c.total).where(tables.studies.c.uid == "")).scalar() == 7


@pytest.mark.parametrize(("free", "level"), [(FREE_SPACE_FLOOR_BYTES - 1, "error"), (2**30, "warning"), (2**40, "ok")])
def test_disk(free: int, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**41, 0, free))
    check = health.disk(doctoring.work_folder(tmp_path / "not" / "there"))
    assert check.level == level


@pytest.mark.parametrize(("available", "level"), [(2**30, "warning"), (2**33, "ok")])
def test_memory(available: int, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    state = namedtuple("state", "available total")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: state(available, 2**34))
    assert health.memory().level == level


@pytest.mark.parametrize(
    ("changes", "name", "level", "said"),
    [
        ({"data__name": "cifar10", "data__root": "empty"}, "data", "warning", "cifar10 is not in empty"),
        ({"data__name": "imagefolder", "data__root": "none"}, "data", "error", "there is no such folder"),
        ({"evaluation__extractor": "inception", "evaluation__weights": "w.pth"}, "weights", "error", "no such file"),
        ({"runtime__device": "cuda"}, "gpu", "error", "none that PyTorch"),
        ({"data__size": 12}, "config", "error", "12"),
    ],
)
def test_what_a_study_needs_of_this_machine(
    changes: dict[str, Any],
    name: str,
    level: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    path = helpers.write_config(tmp_path, **changes)
    checks = _doctor(capsys, "--config", str(path), code=1 if level == "error" else 0)
    assert (checks[name]["level"], said in checks[name]["what"]) == (level, True), checks[name]


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok       versions: colgan-search ")
    assert lines[-1].startswith("0 errors, ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--storage", "mysql://u:secret@h/d"], "unknown kind 'mysql'"),
        (["--config", "no-such"], "no-such"),
        (["--study"], "--study"),
    ],
)
def test_bad_input(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", *arguments]) == 2
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert "secret" not in printed


def test_what_other_users_can_read(storage: Storage, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Folders and files that were made open, by an earlier version or by hand, are left so, and told."""
    work = tmp_path / "colgan_work"
    work.mkdir()
    for path, mode in ((work, 0o755), (tmp_path / "study.db", 0o640)):
        if path.exists():
            path.chmod(mode)
    url = storage.url_with_password
    privacy = _doctor(capsys, "--storage", url, code=0)["privacy"]
    assert privacy["level"] == "warning" and f"{work} (mode 0755)" in privacy["what"]
    assert f"chmod go= {work}" in privacy["advice"]
    assert ("study.db (mode 0640)" in privacy["what"]) == storage.is_sqlite
    subprocess.run(privacy["advice"], shell=True, check=True)
    assert _doctor(capsys, "--storage", url, code=0)["privacy"]["level"] == "ok"
