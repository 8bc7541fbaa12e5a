"""`dashboard` on a study that this package made: where it listens, what it answers, what a browser shows."""

import base64
import http.client
import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

from tests.integration.cli_helpers import (
    WAIT_SECONDS,
    end,
    fake_study,
    optuna_study,
    run_cli,
    small_config,
    start_cli,
    trials_of,
    wait_for,
)

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,1000 --virtual-time-budget=8000"
)


@contextmanager
def serving(tmp_path: Path, *options: object, host: str = "127.0.0.1", **environment: str) -> Iterator[str]:
    """The address of a dashboard, on any free port, of a study with 5 of 6 trials done."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fake_study(url, small_config(tmp_path), total=6, done=5).storage.close()
    process = start_cli("dashboard", "--port", 0, "--storage", url, *options, cwd=tmp_path, **environment)
    output = next(tmp_path.glob("output-*.txt"))
    try:
        found = wait_for(lambda: re.search(rf"http://{re.escape(host)}:\d+/", output.read_text()), "the address")
        listening = [c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"]
        assert listening == [host]
        yield found.group()
        assert end(process, signal.SIGTERM) == 0
    finally:
        end(process)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as address:
        yield address


@pytest.fixture
def writable(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path, "--writable") as address:
        yield address


def ask(address: str, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Status and text of the answer to a request with exactly these headers (`_` for `-`) beside Host."""
    place = urlsplit(address)
    assert place.hostname is not None
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=WAIT_SECONDS)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def browse(address: str, tmp_path: Path, *what: str) -> str:
    """What a real browser writes about a page when its scripts have run."""
    assert CHROMIUM is not None
    profile = tmp_path / "profile"
    command = [CHROMIUM, *FLAGS.split(), f"--user-data-dir={profile}", *what, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True).stdout


def test_dashboard_lists_the_study(address: str) -> None:
    with urllib.request.urlopen(f"{address}api/studies", timeout=WAIT_SECONDS) as answer:
        studies = json.load(answer)["study_summaries"]
    assert [study["study_name"] for study in studies] == ["small"]


@pytest.mark.skipif(CHROMIUM is None, reason="needs a headless browser: chromium is not on this machine")
def test_dashboard_in_a_browser_shows_the_trials(address: str, tmp_path: Path) -> None:
    page = browse(f"{address}dashboard/", tmp_path, "--dump-dom")
    assert "small" in page
    trials = browse(f"{address}dashboard/studies/1/trials?numbers=0", tmp_path, "--dump-dom")
    best = optuna_study(f"sqlite:///{tmp_path / 'study.db'}").trials
    for number in range(5):
        assert f"Trial {number}" in trials
    assert "Complete" in trials
    assert best[0].user_attrs["graph"] in trials.replace("&gt;", ">")
    browse(f"{address}dashboard/studies/1/trials?numbers=0", tmp_path, f"--screenshot={tmp_path / 'trials.png'}")
    assert (tmp_path / "trials.png").stat().st_size > 10_000


def test_a_page_of_another_site_reaches_nothing(writable: str, tmp_path: Path) -> None:
    own = urlsplit(writable).netloc
    evil = f"http://evil.example:{urlsplit(writable).port}"
    for method, path in (("GET", "/api/studies"), ("DELETE", "/api/studies/1"), ("POST", "/api/studies/1/rename")):
        # A name of its own for this machine (DNS rebinding); a form or script of another page; a page on another port.
        assert ask(writable, method, path, Host=urlsplit(evil).netloc)[0] == 403
        assert ask(writable, method, path, Host="127.0.0.1.evil.example")[0] == 403
        assert ask(writable, method, path, Host="")[0] == 403
        assert ask(writable, method, path, Host=own, Origin=evil)[0] == 403
        assert ask(writable, method, path, Host=own, Origin="null")[0] == 403
        assert ask(writable, method, path, Host=own, Origin="http://127.0.0.1:1")[0] == 403
        assert ask(writable, method, path, Host=own, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(writable, "DELETE", "/api/studies/1", Host=own, **link)[0] == 403
    assert len(trials_of(f"sqlite:///{tmp_path / 'study.db'}")) == 5

    port = urlsplit(writable).port
    for host in (f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        assert ask(writable, "GET", "/api/studies", Host=host)[0] == 200
    assert ask(writable, "GET", "/dashboard/", Host=own, **link)[0] == 200
    assert ask(writable, "DELETE", "/api/studies/1", b"{}", Host=own, Origin=f"http://{own}")[0] == 204
    assert json.loads(ask(writable, "GET", "/api/studies")[1])["study_summaries"] == []


def test_it_only_shows_unless_told_otherwise(address: str, tmp_path: Path) -> None:
    before = trials_of(f"sqlite:///{tmp_path / 'study.db'}")
    own = urlsplit(address).netloc
    body = json.dumps({"study_name": "other", "directions": ["minimize"]}).encode()
    for method in ("DELETE", "PUT", "POST", "PATCH", "OPTIONS", "BREW"):
        for path in ("/api/studies/1", "/api/studies", "/api/studies/1/rename", "/api/studies/1/note"):
            status, text = ask(address, method, path, body, Host=own, Content_Type="application/json")
            assert (status, "--writable" in text) == (405, True)
    assert ask(address, "HEAD", "/api/studies") == (200, "")
    assert trials_of(f"sqlite:///{tmp_path / 'study.db'}") == before
    assert [s["study_name"] for s in json.loads(ask(address, "GET", "/api/studies")[1])["study_summaries"]] == ["small"]


def test_a_password_is_asked_of_everyone(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("pass:wörd-of-mine\nnot this\n")
    with serving(tmp_path, "--host", "0.0.0.0", "--password-file", file, host="0.0.0.0") as listening:
        address = listening.replace("0.0.0.0", "127.0.0.1")

        def with_words(words: str) -> int:
            authorization = "Basic " + base64.b64encode(words.encode()).decode()
            return ask(address, "GET", "/api/studies", Host="gpu.lab.example", Authorization=authorization)[0]

        assert with_words("anybody:pass:wörd-of-mine") == 200
        assert [with_words(w) for w in ("", "a:", "a:wrong", "pass:wörd-of-mine", "a:pass:wörd-of-min")] == [401] * 5
        for header in ("", "Basic", "Basic !!!", "Bearer pass:wörd-of-mine".encode().decode("latin-1"), "Basic YQ"):
            assert ask(address, "GET", "/api/studies", Authorization=header)[0] == 401
        assert ask(address, "GET", "/")[0] == 401
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address, timeout=WAIT_SECONDS)
        assert refused.value.headers["WWW-Authenticate"].startswith("Basic ")
    said = next(tmp_path.glob("output-*.txt")).read_text()
    assert "wörd" not in said and "no TLS" in said


def test_others_are_not_let_in_without_a_password(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("1234567\n")
    for options, said in (
        (("--host", "0.0.0.0"), "--password-file"),
        (("--host", "::"), "--password-file"),
        (("--host", "0.0.0.0", "--password-file", "none"), "none: cannot be read"),
        (("--host", "0.0.0.0", "--password-file", "short"), "at least 8 characters"),
    ):
        ended = run_cli("dashboard", *options, cwd=tmp_path)
        assert ended.returncode == 2 and said in ended.stderr, ended.stderr
        assert "1234567" not in ended.stderr
