"""What the lower floors say is in words of settings, arguments and functions; only the command line says options."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import colgan_search
from colgan_search.cli.commands import COMMANDS, Commands
from colgan_search.cli.wording import SAID, as_typed

PACKAGE = Path(colgan_search.__file__).parent
UPPER = ("cli", "reproduction", "api")
WORDS = re.compile(r"(?<![\w-])--[a-z]|colgan-search (" + "|".join(COMMANDS) + r")\b|`(" + "|".join(COMMANDS) + r") ")
ONE_WORD = re.compile(r"--[a-z-]+")
NAMES_ELSE = {"train", "inception", "classifier", "best", "last", "first"}
"""In backquotes, and the same word for both: a command that is a function too, values and names of settings."""


def messages() -> Iterator[tuple[str, str]]:
    """Place and text of every string below the api that is no docstring."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in UPPER:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value


def test_the_lower_floors_name_no_option_and_no_command() -> None:
    others = r"launchers/(slurm|kubernetes|skypilot)"  # the options of schedulers' programs, and lines of their files
    found = [(place, text) for place, text in messages() if WORDS.search(text) and not re.match(others, place)]
    # `launch` makes the command lines of its workers: words of their own, in no message.
    assert [
        (place, text) for place, text in found if not (place.startswith("launch") and ONE_WORD.fullmatch(text))
    ] == []


def test_what_they_name_instead_is_known_to_the_command_line() -> None:
    named = {name for _, text in messages() for name in re.findall(r"`(\w+)`", text)}
    assert named - NAMES_ELSE <= set(SAID)


def test_what_is_said_for_it_exists() -> None:
    commands = Commands().commands
    options = {name for command in commands.values() for parameter in command.params for name in parameter.opts}
    for words in SAID.values():
        option, command = re.search(r"--[a-z-]+", words), re.search(r"`(?:colgan-search )?(\w+)", words)
        assert option is None or option[0] in options
        assert command is None or command[1] in commands
        assert option or command


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("`trials` 3 is the total; `launch` makes it", "--trials 3 is the total; `colgan-search launch` makes it"),
        ("choose another `work_dir`, with `wait_minutes`", "choose another --work-dir, with --wait-for-database"),
        ("run `train` again, `ssh -L`, `", "run `train` again, `ssh -L`, `"),
    ],
)
def test_translation(text: str, said: str) -> None:
    assert as_typed(text) == said


def test_an_error_reaches_the_terminal_translated(capsys: pytest.CaptureFixture[str]) -> None:
    from colgan_search.cli.app import run

    assert run(["train", "--graph", "mad-gan", "--config", "no-such-config"]) == 2
    assert "error: --config 'no-such-config' is neither a file nor a shipped" in capsys.readouterr().err
