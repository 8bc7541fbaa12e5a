"""docs/operations.md names only tests, commands, settings and sections that exist."""

import re
from pathlib import Path

from colgan_search.cli.commands import COMMANDS
from colgan_search.config import StudyConfig

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_test_of_the_fault_table_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 20
    sources = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in named}
    assert [f"{file}::{name}" for file, name in named if f"def {name}(" not in sources[file]] == []


def test_every_command_exists() -> None:
    named = set(re.findall(r"colgan-search ([a-z]+)", PAGE))
    assert {"doctor", "clean", "copy", "worker", "launch"} <= named
    assert named <= set(COMMANDS)


def test_every_setting_exists() -> None:
    sections = StudyConfig.model_fields
    named = set(re.findall(r"`(service|runtime)\.(\w+)`", PAGE))
    assert len(named) >= 4
    for section, key in named:
        model = sections[section].annotation
        assert model is not None
        assert key in model.model_fields, f"{section}.{key}"


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(#([\w-]+)\)", PAGE)
    assert links
    assert set(links) <= anchors
