"""What README.md and docs/ show in fenced blocks, and the command lines among it."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
GENERATED = ("cli.md", "api.md", "config.md")
"""Pages of docs/ whose examples have tests of their own (`test_cli_help`, `test_api_page`)."""
SHELL = ("", "sh", "bash", "console")
ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list["Command"]:
        """The command lines of colgan-search in a block for the shell, in order."""
        if self.language not in SHELL:
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for line in lines for command in _commands(line)]


@dataclass(frozen=True)
class Command:
    """One command line of colgan-search: the words behind its name, and the file that its output goes to."""

    words: tuple[str, ...]
    output: str | None = None

    def __str__(self) -> str:
        return shlex.join(self.words)


def pages() -> list[str]:
    """README.md and every page that somebody wrote."""
    found = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md") if path.name not in GENERATED]
    return ["README.md", *sorted(found), "examples/plugin/README.md"]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fences = re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(page, text[: found.start()].count("\n") + 1, found[1], found[2]) for found in fences]


def commands(page: str) -> list[Command]:
    """All command lines of colgan-search on a page, in order."""
    return [command for block in blocks(page) for command in block.commands]


def _commands(line: str) -> Iterator[Command]:
    words: list[str] = []
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word not in ("&&", "|", ";"):
            words.append(word)
            continue
        while words and ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        if words[:1] == ["colgan-search"]:
            output = words[words.index(">") + 1] if ">" in words else None
            yield Command(tuple(words[1 : words.index(">") if ">" in words else None]), output)
        words = []
