"""The documentation as a site, built with MkDocs as docs/ says; and the notebook, executed."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.documentation import ROOT
from tests.integration.cli_helpers import environment

pytestmark = pytest.mark.slow


class Requests(HTMLParser):
    """What a page loads from elsewhere by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        key = {"link": "href", "script": "src", "img": "src", "iframe": "src"}.get(tag)
        values = dict(attrs)
        target = values.get(key or "") or ""
        if "//" in target and values.get("rel") != "canonical":
            self.found.append(target)


def test_the_site_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    written = list((ROOT / "docs").rglob("*.md"))
    assert len(pages) >= len(written) + 3  # the first page, the plugin's and the notebook's
    for page in pages:
        requests = Requests()
        requests.feed(page.read_text(encoding="utf-8"))
        assert requests.found == [], page
    first = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'src="pictures/best-digits.png"' in first
    assert list((tmp_path / "site").rglob("*.py")) == []


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = [
        "".join(part.get("text", "") for part in cell.outputs) for cell in notebook.cells if cell.cell_type == "code"
    ]
    assert "IS " in said[0] and "G1 learns" in said[1] and said[2].count("\n") == 4
    assert said[3].count("[") == 2 and said[4].split() == ["False", "True"]
