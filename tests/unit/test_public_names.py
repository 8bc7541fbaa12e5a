"""The names that `colgan_search` itself has: one list, late imports, no heavy library before they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import colgan_search
from tests.integration.cli_helpers import environment
from tests.integration.test_cli_start import HEAVY

SOURCE = ast.parse(Path(colgan_search.__file__).read_text(encoding="utf-8"))
TYPED = {
    alias.name
    for block in SOURCE.body
    if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
    for statement in block.body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
}
"""What mypy and editors see."""


def test_every_name_is_there_and_typed() -> None:
    assert set(colgan_search.__all__) == TYPED | {"__version__"}
    assert set(colgan_search.__all__) <= set(dir(colgan_search))
    for name in colgan_search.__all__:
        assert getattr(colgan_search, name) is not None, name


@pytest.mark.parametrize("name", sorted(TYPED - {"errors", "presets"}))
def test_a_name_is_the_one_of_its_module_and_documented(name: str) -> None:
    found = getattr(colgan_search, name)
    (source,) = (
        statement.module
        for statement in ast.walk(SOURCE)
        if isinstance(statement, ast.ImportFrom) and name in {alias.name for alias in statement.names}
    )
    assert source is not None and found is getattr(sys.modules[source], name)
    assert found.__doc__ and len(found.__doc__) > 30


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        colgan_search.serach  # noqa: B018
    with pytest.raises(ImportError, match="serach"):
        from colgan_search import serach  # noqa: F401


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import colgan_search; colgan_search.__version__", set()),
        ("from colgan_search import KnowledgeTransferGraph, Roster, presets, errors", set()),
        ("from colgan_search import load_config; load_config('digits')", set()),
    ],
)
def test_light_names_import_nothing_heavy(statement: str, allowed: set[str], tmp_path: Path) -> None:
    program = f"{statement}; import sys; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert {name.partition(".")[0] for name in ended.stdout.split()} & (HEAVY - allowed) == set()


def test_no_second_list_of_late_names() -> None:
    package = Path(colgan_search.__file__).parent
    late = [path for path in package.rglob("*.py") if "def __getattr__(name" in path.read_text(encoding="utf-8")]
    assert late == [package / "__init__.py"]
