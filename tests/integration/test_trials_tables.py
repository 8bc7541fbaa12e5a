"""`trials` as tables for other programs: one column per score, times in UTC, read back by pyarrow."""

import csv
import io
import sys
from datetime import timezone
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial

from colgan_search.cli.app import run
from tests.integration.cli_helpers import answer


def test_parquet_keeps_numbers_and_moments(trials: list[FrozenTrial], capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run(["trials", "--format", "parquet", "--out", "trials.parquet"]) == 0
    table = parquet.read_table("trials.parquet")
    assert [str(table.schema.field(name).type) for name in ("number", "value", "is_mean_G2", "started")] == [
        "int64",
        "double",
        "double",
        "timestamp[ms, tz=UTC]",
    ]
    rows = table.to_pylist()
    for row, trial in zip(rows, trials, strict=True):
        assert (row["number"], row["value"], row["graph"]) == (trial.number, trial.value, trial.user_attrs["graph"])
        scores = trial.user_attrs.get("is_mean", [None, None])
        assert [row["is_mean_G1"], row["is_mean_G2"]] == scores
        assert trial.datetime_start is not None
        assert row["started"] == trial.datetime_start.replace(microsecond=0, tzinfo=timezone.utc)
    assert list(next(csv.reader(io.StringIO(answer(capsys, "trials", "--format", "csv"))))) == table.column_names


def test_graphs_as_a_table(trials: list[FrozenTrial], capsys: pytest.CaptureFixture[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(answer(capsys, "trials", "--graphs", "--format", "csv"))))
    values = {trial.number: trial.value for trial in trials if trial.value is not None}
    assert sum(int(row["runs"]) for row in rows) == len(values) == 3
    assert {float(row["mean"]) for row in rows if row["runs"] == "1"} <= set(values.values())
    assert set(rows[0]) >= {"generator_mean_G1", "generator_mean_G2"}


def test_without_pyarrow_it_says_what_to_install(
    trials: list[FrozenTrial], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert run(["trials", "--format", "parquet", "--out", "trials.parquet"]) == 2
    assert "pip install 'colgan-search[parquet]'" in capsys.readouterr().err
    assert not Path("trials.parquet").exists()


def test_a_csv_into_a_file(trials: list[FrozenTrial], capsys: pytest.CaptureFixture[str]) -> None:
    text = answer(capsys, "trials", "--format", "csv")
    assert run(["trials", "--format", "csv", "--out", "deeper/trials.csv"]) == 0
    assert Path("deeper/trials.csv").read_text() == text
    assert run(["trials", "--format", "csv", "--out", "deeper"]) == 2
    assert "is a folder; name a file" in capsys.readouterr().err
