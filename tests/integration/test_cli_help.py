"""Every command explains itself, with an example that begins like the command; docs/cli.md says the same."""

import runpy
from pathlib import Path

import pytest
import typer

from colgan_search import __version__
from colgan_search.cli.app import COMMANDS, app, register, run

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_help_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    (example,) = [line for line in capsys.readouterr().out.splitlines() if "Example: " in line]
    assert f"colgan-search {name}" in example
    register([])
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert command.help and len(command.help.strip()) > 20
    assert [option.name for option in command.params if not option.help and not getattr(option, "hidden", False)] == []


def test_program_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    said = capsys.readouterr().out
    assert [name for name in COMMANDS if name not in said] == []
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
