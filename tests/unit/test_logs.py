"""Log lines: one per event, UTC, worker and trial on each, rotated, and never a password in any disguise."""

import io
import json
import logging
import re
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg2.extensions
import pytest
import sqlalchemy as sa

from colgan_search import logs

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \S+ trial=\S+ .+")
SECRETS = {
    "p@ss:w/rd%1": ("p@ss", "p%40ss", "rd%1", "rd%251"),
    'it\'s "so" \\ quizzical': ("quizzical",),
    "ümlaut +&?=#zephyr": ("mlaut", "zephyr"),
    "tab\tquizzical": ("quizzical",),
}
"""Passwords, and the parts by which they would be recognised."""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("colgan_search")
    before = list(root.handlers), root.level, ours.level, logging.raiseExceptions, threading.excepthook
    monkeypatch.setattr(logs, "_secrets", set())
    monkeypatch.setattr(logs, "_as_json", False)
    monkeypatch.setattr(logs, "_context", {"worker": "-", "trial": "-"})
    yield
    for handler in set(root.handlers) - set(before[0]):
        with suppress(OSError):  # a full disk
            handler.close()
    root.handlers[:], logging.raiseExceptions, threading.excepthook = before[0], before[3], before[4]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(False)


def _log() -> logging.Logger:
    return logging.getLogger("colgan_search.test")


def _disguises(secret: str) -> dict[str, str]:
    """Texts that all show the secret to whoever knows the format."""
    url = sa.URL.create("postgresql", "user", secret, "host", 5432, "db")
    return {
        "plain": secret,
        "percent": quote(secret, safe=""),
        "percent, slash kept": quote(secret),
        "percent, lower case": re.sub("%..", lambda code: code.group().lower(), quote(secret, safe="")),
        "form": quote_plus(secret),
        "sqlalchemy": url.render_as_string(hide_password=False),
        "libpq": psycopg2.extensions.make_dsn(host="h", password=secret),
        "repr": repr(secret),
        "repr of a dict": repr({"password": secret, "url": repr(secret)}),
        "json": json.dumps({"key": secret}),
        "json of a repr": json.dumps({"key": repr(secret)}),
    }


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("secret", SECRETS)
def test_a_hidden_secret_shows_in_no_disguise(secret: str, as_json: bool, tmp_path: Path) -> None:
    logs.hide(secret)
    logs.set_up(tmp_path / "log", terminal=False, as_json=as_json)
    for name, text in _disguises(secret).items():
        _log().info("%s: %s", name, text)
        try:
            raise ValueError(text)
        except ValueError:
            _log().exception("failed")
    written = (tmp_path / "log").read_text(encoding="utf-8")
    assert len(written.splitlines()) == 2 * len(_disguises(secret))
    assert secret not in written
    assert [part for part in SECRETS[secret] if part in written] == []
    assert logs.HIDDEN in written


@pytest.mark.parametrize(
    "text",
    [
        "storage postgresql://user:p@ss:w/rd%1@host/db is wrong",
        "storage postgresql+psycopg2://user:p%40ss%3Aw%2Frd%251@host:5432/db?sslmode=require is wrong",
        "connection host=h user=u password=p@ss:w/rd%1 dbname=d failed",
        "connection password='p@ss:w/rd%1 x\\'y' host=h failed",
        "PGPASSWORD=p@ss:w/rd%1 in the environment",
        "URL('postgresql://user:p@ss:w/rd%1@host/db')",
    ],
)
def test_a_password_that_nobody_named_is_known_by_its_place(text: str) -> None:
    hidden = logs.without_secrets(text)
    assert logs.HIDDEN in hidden
    assert not any(part in hidden for part in ("p@ss", "rd%1", "%40ss", "x\\'y"))
    for kept in ("host", "failed", "is wrong", "dbname=d"):
        assert (kept in hidden) == (kept in text)


@pytest.mark.parametrize("text", ["http://127.0.0.1:8080/ is up", "a@b: no password supplied", "trial 3: 4/5", "x:y@z"])
def test_what_is_no_password_stays(text: str) -> None:
    assert logs.without_secrets(text) == text


def test_one_line_per_event_in_utc_with_worker_and_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        logs.set_up(tmp_path / "log", terminal=False)
        _log().info("before")
        logs.set_worker("host:1:00000001")
        logs.set_trial(12)
        monkeypatch.setattr(time, "time", lambda: 1_769_860_800.5)
        monkeypatch.setattr(time, "time_ns", lambda: 1_769_860_800_500_000_000)
        _log().warning("two\nlines\n\nand an empty one")
        try:
            raise KeyError("gone")
        except KeyError:
            _log().exception("it failed")
        logs.set_trial(None)
        _log().debug("not shown")
    finally:
        monkeypatch.undo()
        time.tzset()
    first, second, third = (tmp_path / "log").read_text().splitlines()
    assert LINE.fullmatch(first)
    assert " INFO - trial=- before" in first
    at = "2026-01-31T12:00:00.500Z"
    assert second == f"{at} WARNING host:1:00000001 trial=12 two | lines | and an empty one"
    assert third.startswith(f"{at} ERROR host:1:00000001 trial=12 it failed | Traceback")
    assert third.endswith("| KeyError: 'gone'")


def test_json_lines(tmp_path: Path) -> None:
    logs.set_up(tmp_path / "log", terminal=False, as_json=True)
    logs.set_worker('w"1')
    logs.hide("time")  # a password that is also a key, and must not break the line
    _log().info("a \u2028 message\nof two lines")
    line = (tmp_path / "log").read_text(encoding="utf-8").rstrip("\n")
    assert "\n" not in line
    event = json.loads(line)
    assert (event["worker"], event["trial"], event["level"]) == ('w"1', "-", "INFO")
    assert event["message"] == "a \u2028 message\nof two lines"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", event["time"])


def test_the_file_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_FILE_BYTES", 1000)
    logs.set_up(tmp_path / "log", terminal=False)
    for number in range(200):
        _log().info("event %d", number)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log", "log.1", "log.2", "log.3"]
    assert all(file.stat().st_size <= 1000 for file in files)
    assert (tmp_path / "log").read_text().endswith("event 199\n")


def test_warnings_and_threads_that_fail_are_events(tmp_path: Path) -> None:
    logs.set_up(tmp_path / "log", terminal=False)
    logs.hide("hunter2")

    def fail() -> None:
        raise RuntimeError("with hunter2 inside")

    thread = threading.Thread(target=fail, name="lease")
    thread.start()
    thread.join()
    warnings.warn("deprecated hunter2", UserWarning, stacklevel=1)
    failed, warned = (tmp_path / "log").read_text().splitlines()
    assert "ERROR - trial=- lease ended by an error | Traceback" in failed
    assert failed.endswith("RuntimeError: with *** inside")
    assert "UserWarning: deprecated ***" in warned


def test_a_full_disk_is_quiet_and_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stderr", errors)
    logs.set_up(Path("/dev/full"), terminal=False)
    _log().info("connecting with %s", "hunter2")
    assert errors.getvalue() == ""


def test_a_log_that_cannot_be_made_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    logs.set_up(tmp_path / "file" / "log")
    assert "no log is kept there" in capsys.readouterr().err
    assert not any(isinstance(handler, logging.FileHandler) for handler in logging.getLogger().handlers)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_worker_of_a_line_can_be_read_back(as_json: bool, tmp_path: Path) -> None:
    logs.set_up(tmp_path / "log", terminal=False, as_json=as_json)
    _log().info("nobody yet")
    logs.set_worker("host:1:00000001")
    _log().info("somebody")
    lines = (tmp_path / "log").read_text().splitlines()
    assert [logs.worker_of_line(line) for line in lines] == [None, "host:1:00000001"]
    assert logs.worker_of_line("Traceback (most recent call last):") is None
    assert logs.worker_of_line("{not json") is None
    assert logs.worker_of_line("") is None


def test_a_traceback_of_a_failed_connection_shows_no_password() -> None:
    secret = next(iter(SECRETS))
    url = sa.URL.create("postgresql+psycopg2", "user", secret, "127.0.0.1", 1, "db")
    logs.hide(secret)
    try:
        sa.create_engine(url).connect()
    except sa.exc.OperationalError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert secret in text
    assert [part for part in SECRETS[secret] if part in logs.without_secrets(text)] == []
