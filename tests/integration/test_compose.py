"""docker-compose.yml: against the specification's schema, its promises, and each service's command by hand."""

import base64
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration import cli_helpers as helpers
from tests.postgres import PASSWORD, Postgres

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\}")


class Unset(Exception):
    """What Compose ends with when a required variable is missing."""


def _substitute(value: Any, environment: dict[str, str]) -> Any:
    """Compose's interpolation of ${NAME:-default} and ${NAME:?message}, in every string of a value."""
    if isinstance(value, dict):
        return {key: _substitute(item, environment) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, environment) for item in value]
    if not isinstance(value, str):
        return value

    def one(match: re.Match[str]) -> str:
        if found := environment.get(match["name"]):
            return found
        if match["kind"] == ":?":
            raise Unset(match["rest"])
        return match["rest"] or ""

    return VARIABLE.sub(one, value)


PASSWORDS = {"COLGAN_DB_PASSWORD": "x", "COLGAN_DASHBOARD_PASSWORD": "for-visitors"}


def _services(**environment: str) -> dict[str, dict[str, Any]]:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    services: dict[str, dict[str, Any]] = _substitute(content, {**PASSWORDS, **environment})["services"]
    return services


def test_it_fits_the_schema_of_the_compose_specification(tmp_path: Path) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    ran = subprocess.run([*check, str(FILE)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(FILE.read_text(encoding="utf-8").replace("stop_signal:", "stop_sinal:"))
    assert subprocess.run([*check, str(wrong)], capture_output=True, timeout=60).returncode == 1


def test_without_a_password_nothing_starts() -> None:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    for environment in ({}, {"COLGAN_DB_PASSWORD": ""}):
        for service in content["services"].values():
            with pytest.raises(Unset, match="there is no default password"):
                _substitute(service, environment)
    with pytest.raises(Unset, match="there is no default password"):
        _substitute(content["services"]["dashboard"], {"COLGAN_DB_PASSWORD": "x"})
    assert not re.search(r"COLGAN_(DB|DASHBOARD)_PASSWORD:?-", FILE.read_text(encoding="utf-8"))


def test_nothing_is_published_beyond_this_machine_unless_told() -> None:
    ports = {name: service["ports"] for name, service in _services().items() if "ports" in service}
    assert ports == {"db": ["127.0.0.1:5432:5432"], "dashboard": ["127.0.0.1:8080:8080"]}
    told = _services(COLGAN_DB_BIND="10.0.0.1", COLGAN_DASHBOARD_PORT="9000")
    assert (told["db"]["ports"], told["dashboard"]["ports"]) == (["10.0.0.1:5432:5432"], ["127.0.0.1:9000:8080"])


def test_the_database_is_pinned_kept_and_watched() -> None:
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    db = content["services"]["db"]
    assert re.fullmatch(r"postgres:\d+", db["image"])
    (volume,) = db["volumes"]
    assert volume.split(":")[0] in content["volumes"]
    assert db["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    for name in ("study", "worker", "dashboard"):
        assert content["services"][name]["depends_on"]["db"] == {"condition": "service_healthy"}


def test_a_worker_can_be_scaled_and_has_time_to_drain() -> None:
    worker = _services()["worker"]
    assert "container_name" not in worker and "ports" not in worker, "else only one could run"
    assert worker["stop_signal"] == "SIGTERM"
    assert int(worker["stop_grace_period"].removesuffix("s")) > 30
    (devices,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (devices["driver"], devices["capabilities"]) == ("nvidia", ["gpu"])


def test_every_service_by_hand(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    """The exact commands and environment of the file, with the container's paths and host replaced."""
    runs = tmp_path / "runs"
    runs.mkdir()
    config = helpers.write_config(runs)
    services = _services(COLGAN_DB_PASSWORD=PASSWORD, COLGAN_CONFIG=f"/runs/{config.name}", COLGAN_STUDY="tried")
    database = postgres_url.rsplit("/", 1)[1]

    def arguments(name: str) -> list[str]:
        return [re.sub(r"^/runs", str(runs), str(word)) for word in services[name]["command"]]

    def environment(name: str) -> dict[str, str]:
        given = dict(services[name]["environment"])
        url = given.pop("COLGAN_STORAGE")
        assert url == "postgresql://colgan@db:5432/colgan"
        return {**given, "COLGAN_STORAGE": f"postgresql://colgan@127.0.0.1:{postgres.port}/{database}"}

    assert services["db"]["environment"] == {
        "POSTGRES_USER": "colgan",
        "POSTGRES_DB": "colgan",
        "POSTGRES_PASSWORD": PASSWORD,
    }
    for more, total in (([], 2), (["--trials", 3], 3), ([], 3)):  # made, extended, and `up` again changes nothing
        made = helpers.run_cli(*arguments("study"), *more, cwd=tmp_path, **environment("study"))
        assert made.returncode == 0, made.stderr
        assert f"study tried: {total} trials" in made.stderr

    dashboard_arguments = arguments("dashboard")
    assert dashboard_arguments[dashboard_arguments.index("--port") + 1] == "8080"
    dashboard_arguments[dashboard_arguments.index("--port") + 1] = "0"
    dashboard = subprocess.Popen(
        helpers.command(*dashboard_arguments),
        cwd=tmp_path,
        env=helpers.environment(**environment("dashboard")),
        stderr=subprocess.PIPE,
        text=True,
    )
    workers = [helpers.start_cli(*arguments("worker"), cwd=tmp_path, **environment("worker")) for _ in range(2)]
    try:
        assert dashboard.stderr is not None
        said = ""
        while "http://" not in said:
            said = dashboard.stderr.readline()
            assert said, "the dashboard has ended"
        (port,) = re.findall(r"http://0\.0\.0\.0:(\d+)/", said)
        words = base64.b64encode(f"me:{PASSWORDS['COLGAN_DASHBOARD_PASSWORD']}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/studies", headers={"Authorization": f"Basic {words}"}
        )
        with urllib.request.urlopen(request, timeout=helpers.WAIT_SECONDS) as answer:
            assert b'"tried"' in answer.read()
        assert [worker.wait(helpers.WAIT_SECONDS) for worker in workers] == [0, 0]
        assert helpers.end(dashboard, signal.SIGTERM) == 0
    finally:
        for process in (dashboard, *workers):
            helpers.end(process)
        if dashboard.stderr is not None:
            dashboard.stderr.close()
    assert len(helpers.require_complete(postgres_url, 3, "tried")) == 3
    assert len(list((runs / "tried/logs").glob("*.log"))) == 2


def test_a_worker_stops_as_compose_stops_it(postgres: Postgres, postgres_url: str, tmp_path: Path) -> None:
    config = helpers.small_config(tmp_path, training__epochs=5000)
    helpers.fake_study(postgres_url, config, total=2, done=0)
    services = _services(COLGAN_STUDY="small")
    arguments = [str(word).replace("/runs", str(tmp_path / "runs")) for word in services["worker"]["command"]]
    worker = helpers.start_cli(*arguments, cwd=tmp_path, COLGAN_STORAGE=postgres_url)
    try:
        folder = tmp_path / "runs/small/logs"
        helpers.wait_for(lambda: any("begun" in log.read_text() for log in folder.glob("*.log")), "a trial")
        assert helpers.end(worker, getattr(signal, services["worker"]["stop_signal"])) == 0
    finally:
        helpers.end(worker)
    assert (tmp_path / "runs/small/trial-00000/checkpoint.pt").exists()
    (log,) = folder.glob("*.log")
    assert "given back: asked to stop" in log.read_text()
    lines = log.read_text().splitlines()
    worker_name = lines[-1].split()[2]
    assert worker_name.count(":") == 2
    assert all(line.split()[2] == worker_name for line in lines), "every line names the worker"
