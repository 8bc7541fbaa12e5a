"""The report in a real browser: nothing is asked of another host, no error, both themes, and 390 px are wide enough."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

import colgan_search
from tests.fleet import fake_config
from tests.integration.cli_helpers import WAIT_SECONDS, fake_study

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync --enable-logging=stderr --v=0 --virtual-time-budget=20000"
)
LIGHT, DARK = 1, 0
"""Of Chromium's setting preferredColorScheme."""

PROBE = """<!DOCTYPE html><iframe id="page" src="report.html" style="border:0; width:390px; height:900px"></iframe>
<pre id="found"></pre><script>
document.getElementById("page").onload = event => {
  const inner = event.target.contentDocument, root = inner.documentElement;
  const images = [...inner.images];
  document.getElementById("found").textContent = JSON.stringify({
    width: root.scrollWidth, images: images.length, broken: images.filter(one => !one.naturalWidth).length,
    asked: event.target.contentWindow.performance.getEntriesByType("resource").map(one => one.name),
    paper: event.target.contentWindow.getComputedStyle(inner.body).backgroundColor, text: inner.body.innerText.length,
  });
};
</script>"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        self.asked.append(self.path)


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serves a report of 24 results, and a page that looks at it in a window 390 px wide."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fake_study(url, fake_config("fake", k=3), total=24, done=24).storage.close()
    served = tmp_path / "served"
    colgan_search.report(storage=url, out=served / "report.html", work_dir=tmp_path)
    (served / "probe.html").write_text(PROBE)
    _Handler.asked = []
    handler = functools.partial(_Handler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.skipif(CHROMIUM is None, reason="needs a headless browser: chromium is not on this machine")
def test_report_in_a_browser(address: str, tmp_path: Path) -> None:
    assert CHROMIUM is not None
    papers = []
    for theme in (LIGHT, DARK):
        command = [
            *(CHROMIUM, *FLAGS.split(), f"--blink-settings=preferredColorScheme={theme}"),
            *(f"--user-data-dir={tmp_path / f'profile-{theme}'}", "--dump-dom", f"{address}/probe.html"),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_SECONDS, check=True)
        (text,) = re.findall(r'<pre id="found">(.*?)</pre>', ended.stdout, re.DOTALL)
        found = json.loads(text)
        assert found["width"] <= 390 and found["text"] > 2000
        assert found["images"] >= 9 and found["broken"] == 0
        papers.append([int(number) for number in re.findall(r"\d+", found["paper"])[:3]])
        assert [line for line in ended.stderr.splitlines() if "CONSOLE" in line] == []
        assert [name for name in found["asked"] if not name.startswith("data:")] == []
    assert papers[0] == [255, 255, 255] and sum(papers[1]) < 120
    assert set(_Handler.asked) <= {"/probe.html", "/report.html", "/favicon.ico"}
