"""What users and contributors expect of a package: types, how to cite it, how to check a change."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from colgan_search import __version__
from colgan_search.cli.commands import COMMANDS

ROOT = Path(__file__).parents[2]


def test_type_checkers_may_read_it() -> None:
    assert files("colgan_search").joinpath("py.typed").is_file()  # PEP 561


def test_the_oldest_python_is_the_same_for_pip_and_all_checks() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (oldest,) = re.findall(r'^requires-python = ">=(3\.\d+)"$', text, re.MULTILINE)
    assert re.findall(r'^python_version = "(.*)"$', text, re.MULTILINE) == [oldest]  # mypy's
    assert re.findall(r'^target-version = "py(\d)(\d+)"$', text, re.MULTILINE) == [tuple(oldest.split("."))]  # ruff's
    assert oldest in re.findall(r'"Programming Language :: Python :: (3\.\d+)"', text)


def test_it_can_be_cited() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)  # what the format requires
    assert (citation["version"], citation["license"]) == (__version__, "MIT")
    paper = citation["preferred-citation"]
    assert paper["title"] in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert [author["family-names"] for author in paper["authors"]] == [
        "Tsukahara",
        "Hirakawa",
        "Yamashita",
        "Fujiyoshi",
    ]


def test_what_contributors_are_told_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", text):
        assert (ROOT / link).exists(), link
    for name in re.findall(r"`((?:colgan_search/|cli/|config/|api/|search/|docs/)[\w/.]+)`", text):
        assert (ROOT / name).exists() or (ROOT / "colgan_search" / name).exists(), name
    for maker in re.findall(r"python (docs/\w+\.py)", text):
        assert (ROOT / maker).is_file()


@pytest.mark.parametrize("template", ["report.html", "report.md", "report.css"])
def test_what_is_no_python_is_a_part_of_the_package(template: str) -> None:
    assert files("colgan_search.api").joinpath("templates", template).is_file()


def test_every_command_is_a_file() -> None:
    assert [name for name in COMMANDS if not (ROOT / "colgan_search" / "cli" / f"{name}.py").is_file()] == []
