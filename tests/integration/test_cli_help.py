"""Every command explains itself, with an example that begins like the command; docs/cli.md says the same."""

import runpy
from pathlib import Path

import pytest
import typer

from colgan_search import __version__
from colgan_search.cli.app import app, run
from colgan_search.cli.commands import COMMANDS, summary

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    (example,) = [line for line in capsys.readouterr().out.splitlines() if "Example: " in line]
    assert f"colgan-search {name}" in example
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.help and len(command.help.strip()) > 20
    assert [option.name for option in command.params if not option.help and not getattr(option, "hidden", False)] == []


def test_program_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    said = capsys.readouterr().out
    listed = " ".join(said.split())
    assert [name for name in COMMANDS if f" {name} {summary(name)}" not in listed] == []
    assert run(["--help"]) == 0
    assert capsys.readouterr().out == said


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


def test_reference_is_up_to_date() -> None:
    maker = runpy.run_path(str(DOCS / "make_cli_reference.py"))
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == maker["reference"](), "run: python docs/make_cli_reference.py"
    assert all(f"\n## {name}\n" in written for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_command_says(name: str) -> None:
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert " ".join(command.help.split()).startswith(summary(name))


@pytest.mark.parametrize("columns", ["20", "40", "60", "200"])
def test_help_is_whole_at_any_width(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert run(["--help"]) == 0
    said = capsys.readouterr().out
    assert "..." not in said.replace("[ARGS]...", "")
    whole = "".join(said.split())
    assert [name for name in COMMANDS if "".join(summary(name).split()) not in whole] == []
    assert "  Example: colgan-search launch --config digits --trials 12" in said.splitlines()


def test_h_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["best"]):
        assert run([*words, "--help"]) == 0
        said = capsys.readouterr().out
        assert run([*words, "-h"]) == 0
        assert capsys.readouterr().out == said
