"""docs/api.md says what the code says, and its example runs as it stands there."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import colgan_search
from tests.integration.cli_helpers import environment, require_complete

DOCS = Path(colgan_search.__file__).parents[1] / "docs"
README = DOCS.parent / "README.md"


def example() -> str:
    """The code block below its marker."""
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"<!-- example -->\n```python\n(.*?)```", text, re.DOTALL)
    return str(found)


def test_reference_is_up_to_date() -> None:
    maker = runpy.run_path(str(DOCS / "make_api_reference.py"))
    written = (DOCS / "api.md").read_text(encoding="utf-8")
    assert written == maker["reference"](), "run: python docs/make_api_reference.py"
    sections = set(re.findall(r"^##+ ([\w.]+)$", written, re.MULTILINE))
    assert set(colgan_search.__all__) - {"__version__"} <= sections


def test_readme_shows_names_that_exist() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (names,) = re.findall(r"from colgan_search import (.*)", block)
    assert set(names.split(", ")) <= set(colgan_search.__all__)
    assert "api.md" in README.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_in_a_fresh_process(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", example()],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=880,
    )
    assert ended.returncode == 0, ended.stderr
    trials = require_complete(f"sqlite:///{tmp_path}/colgan_work/studies.db", 4, "digits")
    best = max(trials, key=lambda trial: trial.value or 0.0)
    lines = ended.stdout.splitlines()
    assert lines[0] == f"IS {best.value:.2f}: {best.user_attrs['graph']}"
    assert [line.split()[0] for line in lines[1:4]] == ["G1", "G2", "G3"]
    assert lines[4].startswith(f"{best.number} {best.value} [")
    ranked = sorted((trial.value for trial in trials if trial.value), reverse=True)
    assert [float(line.split()[1]) for line in lines[4:7]] == ranked[:3]
    assert lines[7].endswith("-2-epochs") and len(list((tmp_path / lines[7].split()[-1]).glob("seed-*"))) == 2
