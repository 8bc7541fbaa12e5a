"""`dashboard` on a study that this package made: where it listens, what it answers, what a browser shows."""

import json
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.cli_helpers import WAIT_SECONDS, end, fake_study, optuna_study, small_config, start_cli, wait_for

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,1000 --virtual-time-budget=8000"
)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a dashboard, on any free port, of a study with 5 of 6 trials done."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fake_study(url, small_config(tmp_path), total=6, done=5).storage.close()
    process = start_cli("dashboard", "--port", 0, "--storage", url, cwd=tmp_path)
    output = next(tmp_path.glob("output-*.txt"))
    try:
        found = wait_for(lambda: re.search(r"http://127\.0\.0\.1:\d+/", output.read_text()), "the address")
        listening = [c.laddr.ip for c in psutil.Process(process.pid).net_connections() if c.status == "LISTEN"]
        assert listening == ["127.0.0.1"]
        yield found.group()
        assert end(process, signal.SIGTERM) == 0
    finally:
        end(process)


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
