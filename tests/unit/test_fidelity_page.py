"""docs/fidelity.md names only files, functions, tests, settings, configs and graphs that exist, and leaves none out."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from colgan_search.config import StudyConfig, parse_config, shipped_configs
from colgan_search.config.fingerprint import result_settings
from colgan_search.extensions.samplers import SAMPLERS
from colgan_search.gan.networks.dcgan import DcganSettings
from colgan_search.gan.transfers.features import FeatureTransferSettings
from colgan_search.gan.transfers.paper import PaperTransferSettings
from colgan_search.presets import PRESETS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
COLUMNS = ["#", "where", "the paper says", "code", "test", "as printed, or our reading"]
VERDICTS = ("as printed", "our reading: ", "a claim: ", "not built: ")
SECTIONS = {
    *("abstract", "1", "1.1", "2", "2.1", "2.2", "3.1", "3.2", "3.3", "3.3.1", "3.3.2"),
    *("4.1", "4.2", "4.3", "4.4", "5"),
    *(f"figure {number}" for number in (5, 6, 7, 8)),
    *("table 1", "table 2", "table 3", "tables 1", "tables 2", "3", "tables 1 to 3"),
}


def rows_of(page: str) -> list[dict[str, str]]:
    """Every row of the page's tables."""
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in page.splitlines() if line[:1] == "|"]
    headers = [row for row in cells if row == COLUMNS]
    rows = [row for row in cells if row != COLUMNS and not set("".join(row)) <= set("-|")]
    assert headers and all(len(row) == len(COLUMNS) for row in rows)
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


ROWS = rows_of(PAGE)


@cache
def names_in(path: Path) -> set[str]:
    """What a Python file defines: functions, classes, constants, and their members as `Class.member`."""

    def defined(body: list[ast.stmt], before: str) -> set[str]:
        found = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                found.add(before + node.name)
            if isinstance(node, ast.ClassDef):
                found |= defined(node.body, f"{node.name}.")
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            inside = [name for target in targets if target is not None for name in ast.walk(target)]
            found |= {before + name.id for name in inside if isinstance(name, ast.Name)}
        return found

    return defined(ast.parse(path.read_text(encoding="utf-8")).body, "")


def missing(rows: list[dict[str, str]], column: str, folder: Path) -> list[str]:
    """The entries `file: name` of a column whose file or name there is not, and cells without any entry."""
    wrong = []
    for row in rows:
        entries = re.findall(r"`([^`]*)`", row[column])
        wrong += [f"row {row['#']}: empty"] if not entries else []
        for entry in entries:
            file, _, name = entry.partition(": ")
            if not (folder / file).is_file() or name not in names_in(folder / file):
                wrong.append(f"row {row['#']}: {entry}")
    return wrong


def settings_in(text: str) -> dict[str, list[str]]:
    """`section.field` -> the values that are written behind it; `k` and the like stand for themselves."""
    sections = "|".join(name for name in StudyConfig.model_fields if _fields(name))
    found: dict[str, list[str]] = {}
    for key, value in re.findall(rf"`((?:{sections})(?:\.\w+)+|k|seed|discriminators)(?:: ([^`]+))?`", text):
        found.setdefault(key, []).extend([value] if value else [])
    return found


BUILT_IN = {
    "network": DcganSettings,
    "transfer": PaperTransferSettings,
    "discriminator_transfer": FeatureTransferSettings,
}
"""Sections whose fields depend on a name: those of what the paper has."""


def _fields(section: str) -> dict[str, Any]:
    if section in BUILT_IN:
        return BUILT_IN[section].model_fields
    return getattr(StudyConfig.model_fields[section].annotation, "model_fields", {})


def _field(key: str) -> Any:
    section, _, name = key.partition(".")
    if name.startswith("sampler_settings."):
        return SAMPLERS.get("graph").settings.model_fields.get(name.partition(".")[2])
    return _fields(section).get(name) if name else StudyConfig.model_fields.get(key)


def test_there_are_enough_rows_numbered_without_gaps() -> None:
    assert len(ROWS) >= 60
    assert [row["#"] for row in ROWS] == [str(number) for number in range(1, len(ROWS) + 1)]
    assert all(row[column] for row in ROWS for column in COLUMNS)


def test_every_place_is_one_of_the_paper_and_none_is_left_out() -> None:
    named = {place for row in ROWS for place in row["where"].split(", ")}
    assert named <= SECTIONS
    assert {place for place in SECTIONS if not place.startswith("tables")} <= named
    said = PAGE.lower()
    for number in range(1, 6):
        assert re.search(rf"\bequations? {number}\b|\bequations? [\d, ]*and {number}\b", said), f"equation {number}"
    for number in range(1, 9):
        assert f"figure {number}" in said
    # every pair of numbers that a table prints, and the scores of figure 8's generators
    for printed in ("4.57", "4.77", "4.81", "5.10", "4.42", "4.46", "4.48", "5.37", "8.70", "4.70", "1.33"):
        assert f"{printed} ± " in said
    for printed in ("25.79", "21.17", "27.02", "21.31", "46.06", "50.09", "40.93", "28.76", "23.77"):
        assert f"FID {printed}" in PAGE


def test_every_file_function_and_test_exists() -> None:
    assert missing(ROWS, "code", ROOT / "colgan_search") == []
    assert missing(ROWS, "test", ROOT / "tests") == []
    named = re.findall(r"`[\w/]+\.py: (\w+)`", " ".join(row["test"] for row in ROWS))
    assert all(name.startswith("test_") for name in named)


def test_a_wrong_name_would_be_seen() -> None:
    row = {"#": "1", "code": "`losses.py: real_loss`, `losses.py: unreal_loss`, `loss.py: real_loss`", "test": ""}
    assert missing([row], "code", ROOT / "colgan_search") == [
        "row 1: losses.py: unreal_loss",
        "row 1: loss.py: real_loss",
    ]
    assert missing([row], "test", ROOT / "tests") == ["row 1: empty"]


def test_every_reading_names_the_setting_of_the_other_or_why_there_is_none() -> None:
    for row in ROWS:
        verdict = row[COLUMNS[-1]]
        assert verdict.startswith(VERDICTS), verdict
        if verdict.startswith("our reading: "):
            other, reason = verdict.partition("other: ")[2], verdict.partition("no setting: ")[2]
            assert settings_in(other) if other else len(reason) > 10, f"row {row['#']}: {verdict}"
    assert sum(row[COLUMNS[-1]].startswith("our reading: ") for row in ROWS) >= 20


def test_every_setting_and_value_exists() -> None:
    for key, values in settings_in(PAGE).items():
        field = _field(key)
        assert field is not None, key
        for value in values:
            TypeAdapter(field.annotation).validate_python(yaml.safe_load(value))
    with pytest.raises(ValueError, match="per_batch"):
        TypeAdapter(_field("training.discriminator_steps").annotation).validate_python("per_turn")


def test_every_setting_that_changes_results_is_on_the_page() -> None:
    config = parse_config({"name": "a", "data": {"name": "digits"}, "transfer": {"kind": "image"}}, "test")
    assert set(result_settings(config)) <= set(settings_in(PAGE))


def test_every_config_and_graph_exists() -> None:
    configs = re.findall(r"config `([\w/-]+)`", PAGE)
    assert set(configs) == {name for name in shipped_configs() if name.startswith("paper/")}
    graphs = re.findall(r"graph `([\w-]+)`", PAGE)
    assert {"mad-gan", "all-through", "one-way", "buffer"} <= set(graphs) <= set(PRESETS)
