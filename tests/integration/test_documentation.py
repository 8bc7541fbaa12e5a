"""Every command line in README.md and docs/ is one that the program takes; every other block has a test for it."""

from typing import Any

import pytest
import typer
import yaml

from colgan_search.cli.app import app
from colgan_search.config import parse_config
from colgan_search.errors import ConfigError
from tests.documentation import ROOT, SHELL, Block, blocks, commands, pages
from tests.integration.cli_helpers import config_data

ELSEWHERE = {
    ("README.md", "pip install"): ".ci/run",
    ("docs/operations.md", "CREATE ROLE"): "tests/integration/test_roles.py",
    ("docs/operations.md", "REVOKE ALL"): "tests/integration/test_roles.py",
    ("docs/operations.md", "2026-01-31T12:00"): "tests/unit/test_logs.py",
    ("docs/operations.md", "for name in DB"): "tests/integration/test_compose.py",
    ("docs/clusters.md", "cluster: {kind: slurm"): "tests/cluster/test_files.py",
    ("docs/speed.md", "python -m benchmarks"): "tests/unit/test_fast.py",
    ("docs/how-to/own-images.md", "flowers/"): "tests/integration/test_documentation_runs.py",
    ("docs/how-to/own-network.md", "my_gan/"): "tests/integration/test_documentation_runs.py",
    ("docs/how-to/own-network.md", "[build-system]"): "tests/integration/test_documentation_runs.py",
    ("docs/how-to/own-network.md", "from collections.abc"): "tests/integration/test_documentation_runs.py",
    ("docs/how-to/own-network.md", "name: flowers-plain"): "tests/integration/test_documentation_runs.py",
    ("README.md", "from colgan_search import"): "tests/integration/test_api_page.py",
    ("docs/how-to/own-parts.md", "from colgan_search.gates"): "tests/integration/test_documentation_runs.py",
    ("docs/how-to/own-parts.md", "[project.entry-points"): "tests/integration/test_documentation_runs.py",
    ("examples/plugin/README.md", "pip install"): "tests/integration/test_plugin.py",
}
"""(page, how a block begins) -> the file of who runs it."""


def parsed(words: tuple[str, ...]) -> Any:
    """The innermost command's context; a usage error for what the program would refuse."""
    group = typer.main.get_command(app)
    context = group.make_context("colgan-search", list(words), resilient_parsing=False)
    while hasattr(context.command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert command is not None
        context = command.make_context(name, rest, parent=context)
    return context


@pytest.mark.parametrize("page", pages())
def test_every_command_line_is_one_that_the_program_takes(page: str) -> None:
    for command in commands(page):
        context = parsed(command.words)
        assert context.command.callback is not None, command


def test_a_command_line_that_the_program_does_not_take_is_seen() -> None:
    with pytest.raises(Exception, match="nonsense"):
        parsed(("launch", "--nonsense"))
    with pytest.raises(Exception, match="nonsense"):
        parsed(("config", "nonsense"))


@pytest.mark.parametrize("page", pages())
def test_every_block_is_run_by_somebody(page: str) -> None:
    left = []
    for block in blocks(page):
        keys = [key for key in ELSEWHERE if key[0] == page and block.text.startswith(key[1])]
        if not keys and block.language != "yaml" and not (block.language in SHELL and block.commands):
            left.append(f"{page}:{block.line} {block.text[:40]!r}")
    assert left == [], "name in ELSEWHERE who runs it"


def parts(block: Block) -> list[dict[str, Any]]:
    """A whole config, or a line for each example of one of its sections."""
    whole = yaml.safe_load(block.text) if "name:" in block.text.splitlines()[0] else None
    return (
        [whole] if whole else [yaml.safe_load(line) for line in block.text.splitlines() if line.split("#")[0].strip()]
    )


@pytest.mark.parametrize("page", pages())
def test_configs_and_their_sections_are_valid(page: str) -> None:
    for block in blocks(page):
        for part in parts(block) if block.language == "yaml" else ():
            config = parse_config({**config_data(), **part}, f"{page}:{block.line}")
            read = config.model_dump(mode="json")
            said = [(key, name) for key, section in part.items() if isinstance(section, dict) for name in section]
            assert [(key, name) for key, name in said if name not in read[key]] == []


def test_a_config_that_is_not_valid_is_seen() -> None:
    (part,) = parts(Block("a", 1, "yaml", "artifacts: {stroe: none}"))
    with pytest.raises(ConfigError, match=r"artifacts\.stroe"):
        parse_config({**config_data(), **part}, "a")


def test_who_runs_blocks_is_there_and_no_entry_is_left_over() -> None:
    assert [file for file in ELSEWHERE.values() if not (ROOT / file).exists()] == []
    unused = [key for key in ELSEWHERE if not any(block.text.startswith(key[1]) for block in blocks(key[0]))]
    assert unused == []
