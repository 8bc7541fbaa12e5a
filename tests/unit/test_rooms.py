"""What the rooms promise and import-linter cannot see: who touches Optuna's private parts, who names files."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import colgan_search

PACKAGE = Path(colgan_search.__file__).parent
PRIVATE_ROOM = PACKAGE / "search" / "optuna_private"
OTHERS = {"_mapping", "_replace", "_exit"}
"""Of SQLAlchemy's rows, named tuples and `os`: public, for all their names."""


def private_parts(code: ast.AST) -> Iterator[str]:
    """Every private name that `code` takes from Optuna, or from any object but itself."""
    for node in ast.walk(code):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "optuna":
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from (f"{node.module}: {part}" for part in parts if part.startswith("_"))
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "optuna"]
            yield from (name for name in names if "._" in name)
        elif isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not own and node.attr not in OTHERS:
                yield f"{ast.unparse(node)}, line {node.lineno}"


@pytest.mark.parametrize(
    "code",
    [
        "from optuna.storages import _CachedStorage",
        "from optuna.storages._rdb import models",
        "import optuna.storages._rdb.models",
        "number = study._study_id",
        "study.load()._storage.get_trial(3)",
    ],
)
def test_a_private_part_is_seen(code: str) -> None:
    assert len(list(private_parts(ast.parse(code)))) == 1


def test_one_room_alone_touches_the_private_parts_of_optuna() -> None:
    found = {
        str(path.relative_to(PACKAGE)): parts
        for path in PACKAGE.rglob("*.py")
        if PRIVATE_ROOM not in path.parents
        and (parts := list(private_parts(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert found == {}
    assert any(list(private_parts(ast.parse(path.read_text(encoding="utf-8")))) for path in PRIVATE_ROOM.glob("*.py"))


FILE_NAMES = ast.parse((PACKAGE / "file_names.py").read_text(encoding="utf-8"))
NAMED = {
    node.value
    for statement in FILE_NAMES.body
    if isinstance(statement, ast.Assign)
    for node in (statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value])
    if isinstance(node, ast.Constant) and isinstance(node.value, str)
}
"""Names and beginnings of names; patterns are made of these."""


def test_file_names_stand_in_one_module_alone() -> None:
    assert {"checkpoint.pt", "generators.safetensors", "versions.json", "run.json", "seed-", "trial-"} <= NAMED
    found = {
        (str(path.relative_to(PACKAGE)), node.value)
        for path in PACKAGE.rglob("*.py")
        if path.name != "file_names.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in NAMED
    }
    assert found == set()
