"""What status, best, trials and graphs print, read back and compared with Optuna's own API."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from optuna.trial import FrozenTrial, TrialState
from PIL import Image

from colgan_search import __version__
from colgan_search.cli.app import run
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.search.database.urls import normalise_url
from tests.fake_worker import fake_value
from tests.integration.cli_helpers import WAIT_SECONDS, answer, environment, fake_study, optuna_study, small_config


def test_results_agree_with_optuna(
    trials: list[FrozenTrial], storage_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = optuna_study(storage_url).best_trial
    assert [trial.state for trial in trials] == 3 * [TrialState.COMPLETE] + [TrialState.RUNNING]

    status = json.loads(answer(capsys, "status", "--json"))
    assert (status["study"], status["total"], status["done"], status["running"]) == ("small", 4, 3, 1)
    assert status["finished"] is False and status["failed"] == 0
    assert status["best"]["number"] == best.number
    assert "3/4 trials done; 1 running" in answer(capsys, "status")

    shown = json.loads(answer(capsys, "best", "--json"))
    assert shown["value"] == best.value == fake_value(best.user_attrs["graph"], best.user_attrs["seed"])
    assert shown["graph"] == best.user_attrs["graph"]
    assert shown["is_mean"] == best.user_attrs["is_mean"] and shown["best_generator"] == "G1"
    assert KnowledgeTransferGraph.from_json(shown["graph_json"]).to_text() == shown["graph"]

    text = answer(capsys, "best", "--picture", str(tmp_path / "own.png"))
    assert f"trial {best.number} of 3" in text and best.user_attrs["graph"] in text
    for line in KnowledgeTransferGraph.from_text(shown["graph"]).describe():
        assert line in text
    assert min(Image.open(tmp_path / "own.png").size) > 200
    assert (tmp_path / "colgan_work" / "small" / "best.svg").read_text().rstrip().endswith("</svg>")


def test_trials_in_three_forms(trials: list[FrozenTrial], capsys: pytest.CaptureFixture[str]) -> None:
    rows = json.loads(answer(capsys, "trials", "--format", "json"))
    assert rows == json.loads(answer(capsys, "trials", "--json"))
    assert [row["number"] for row in rows] == [trial.number for trial in trials]
    table = list(csv.DictReader(io.StringIO(answer(capsys, "trials", "--format", "csv"))))
    text = answer(capsys, "trials")
    for row, line, trial in zip(rows, table, trials, strict=True):
        attributes: dict[str, Any] = trial.user_attrs
        assert row["state"] == line["state"] == trial.state.name.lower()
        assert row["value"] == trial.value
        assert line["value"] == ("" if trial.value is None else repr(trial.value))
        for number, score in enumerate(attributes.get("is_mean", ["", ""]), start=1):
            assert line[f"is_mean_G{number}"] == str(score)
        assert row["graph"] == line["graph"] == attributes["graph"]
        assert row["seed"] == line["seed"] == str(attributes["seed"])
        assert row["is_mean"] == attributes.get("is_mean")
        assert row["worker"] == attributes.get("worker")
        assert attributes["graph"] in text


@pytest.mark.parametrize(
    ("k", "gates", "distinct"),
    [(3, "through,cutoff,positive,negative", 44_224), (3, "through,cutoff", 104), (2, "t,c,p,n", 136), (2, "t,c", 10)],
)
def test_graphs_counts(k: int, gates: str, distinct: int, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(answer(capsys, "graphs", "--k", str(k), "--gates", gates, "--json"))
    size = len(gates.split(","))
    counts = {"edges": k * k, "assignments": size ** (k * k), "distinct": distinct, "distinct_exact": True}
    assert data["counts"] == [{"k": k, "discriminators": 1, **counts}]
    assert f"{distinct:,}" in answer(capsys, "graphs", "--k", str(k), "--gates", gates)
    if distinct < 1000:
        listed = answer(capsys, "graphs", "--k", str(k), "--gates", gates, "--list").split()
        assert len(set(listed)) == len(listed) == distinct


def test_graph_described_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = json.loads(answer(capsys, "graphs", "G1=G2:t/G2=D:p", "--json"))
    # The numbers of generators are names: the canonical form is the same for both orders.
    assert data["canonical"] == json.loads(answer(capsys, "graphs", "G1=D:p/G2=G1:t", "--json"))["canonical"]
    picture = tmp_path / "buffer.svg"
    text = answer(capsys, "graphs", "buffer", "--k", "2", "--picture", str(picture))
    assert "G1=D:t,G2:p/G2=G1:p" in text and str(picture) in text
    assert picture.read_text().rstrip().endswith("</svg>")


def test_answers_do_not_wait_for_torch(tmp_path: Path) -> None:
    """PyTorch takes seconds to import, and none of these commands needs it."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    fake_study(url, small_config(tmp_path), total=1, done=1).storage.close()
    program = (
        "import sys; from colgan_search.cli.app import run\n"
        "codes = [run(line.split()) for line in ('status', 'trials', 'best', 'graphs', 'launch --help')]\n"
        'sys.exit(f\'{codes} {[m for m in ("torch", "sklearn", "optuna_dashboard") if m in sys.modules]}\')'
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=environment(COLGAN_STORAGE=url),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert ended.stderr.splitlines()[-1] == "[0, 0, 0, 0, 0] []", ended.stderr


@pytest.mark.usefixtures("quiet_process")
def test_version_of_the_study_must_be_ours(
    trials: list[FrozenTrial], storage_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    optuna_study(storage_url).set_user_attr("version", "0.0.9")
    for line in ("worker --study small", "status"):
        capsys.readouterr()
        assert run(line.split()) == 2
        message = capsys.readouterr().err
        assert "0.0.9" in message and __version__ in message
    assert optuna_study(storage_url).trials == trials


def test_results_are_shown_from_a_read_only_replica(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_study(postgres_url, small_config(tmp_path), total=4, done=3).storage.close()
    best = optuna_study(postgres_url).best_trial
    engine = sa.create_engine(normalise_url(postgres_url))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        database = normalise_url(postgres_url).database
        connection.execute(sa.text(f"ALTER DATABASE {database} SET default_transaction_read_only = on"))
    engine.dispose()
    monkeypatch.setenv("COLGAN_STORAGE", postgres_url)
    monkeypatch.chdir(tmp_path)
    assert json.loads(answer(capsys, "status", "--json"))["done"] == 3
    assert json.loads(answer(capsys, "best", "--json"))["value"] == best.value
    assert len(list(csv.DictReader(io.StringIO(answer(capsys, "trials", "--format", "csv"))))) == 3
    assert "figure8" in answer(capsys, "figures")
    assert run(["worker", "--study", "small"]) == 2
    assert "read-only; name the primary" in capsys.readouterr().err


def test_a_graph_with_too_many_relabellings_is_described_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "wide.png"
    text = answer(capsys, "graphs", "mad-gan", "--k", "9", "--picture", str(picture))
    assert "G9 learns from D at full weight" in text and picture.stat().st_size > 10_000
    assert "canonical form: not known: k = 9 has 362,880 relabellings" in text
    assert json.loads(answer(capsys, "graphs", "mad-gan", "--k", "9", "--json"))["canonical"] is None
