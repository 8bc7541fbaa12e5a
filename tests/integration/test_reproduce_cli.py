"""`reproduce` as typed: what is refused before anything runs, what counts as nothing run, and no workers here."""

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest

from colgan_search.cli import reproduce
from colgan_search.cli.app import run
from colgan_search.errors import Interrupted
from colgan_search.reproduction import real_images
from colgan_search.reproduction.running import Reproduction, run_table
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from tests.integration.reproduce_helpers import gather, studies, values, work


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs a command line as if it had been typed in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def run_it(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["colgan-search", *words])
        return run(list(words))

    return run_it


@pytest.mark.parametrize(
    "storage",
    ["postgresql://me:secret@127.0.0.1:1/none", "mysql://here/none", "sqlite:///broken.db", "sqlite:///folder.db"],
)
def test_a_database_that_cannot_be_used_is_no_empty_table(typed: Any, tmp_path: Path, storage: str) -> None:
    (tmp_path / "broken.db").write_text("something else entirely" * 100)
    (tmp_path / "folder.db").mkdir()
    report = tmp_path / "colgan_work" / "reproduce" / "table1-digits.md"
    report.parent.mkdir(parents=True)
    report.write_text("a good report")
    assert typed("reproduce", "table1", "--scale", "digits", "--only-report", "--storage", storage) == 2
    assert typed("reproduce", "figures", "--scale", "digits", "--only-report", "--storage", storage) == 2
    assert [file.name for file in report.parent.iterdir()] == ["table1-digits.md"]
    assert report.read_text() == "a good report"


@pytest.mark.parametrize("kind", ["no file", "empty file", "Optuna's alone"])
def test_a_database_without_our_tables_means_nothing_run(
    typed: Any, tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    if kind == "empty file":
        sqlite3.connect(tmp_path / "s.db").close()
        (tmp_path / "s.db").touch()
    if kind == "Optuna's alone":
        optuna.create_study(study_name="theirs", storage=f"sqlite:///{tmp_path}/s.db")
    words = ("reproduce", "table1", "--scale", "digits", "--only-report", "--storage", "sqlite:///s.db")
    assert typed(*words, "--json") == 0
    data = json.loads(capfd.readouterr().out)
    assert [row["state"] for row in data["rows"]] == ["not run"] * 4
    assert data["command"] == f"colgan-search {' '.join(words)} --json"
    assert (tmp_path / "s.db").exists() is (kind != "no file")


def test_a_database_without_our_tables_on_a_server(storage_url: str, tmp_path: Path) -> None:
    wanted = Reproduction("table1", "digits", storage=storage_url, work_dir=tmp_path)
    assert {row.state for row in gather(wanted)} == {"not run"}


@pytest.mark.parametrize("table", ["table1", "figures"])
@pytest.mark.parametrize("more", [(), ("--only-report",)])
def test_a_file_as_out_is_refused_before_anything_runs(
    typed: Any, tmp_path: Path, table: str, more: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    assert typed("reproduce", table, "--scale", "digits", "--workers", "0", "--out", "taken", *more) == 2
    assert "--out" in capfd.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["taken"] and (tmp_path / "taken").read_text() == "mine"


@pytest.mark.slow
def test_without_workers_here(typed: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    words = ("reproduce", "table3", "--scale", "digits", "--trials", "4", "--seeds", "2", "--workers", "0")
    words += ("--storage", "sqlite:///s.db")
    assert typed(*words) == 0
    said = capfd.readouterr()
    url, start = f"sqlite:///{tmp_path}/s.db", "colgan-search worker --study paper-digits-table3-"
    ends = f" --storage {url}"
    dcgan = start.replace("table3-", "table1-dcgan")
    assert said.out.splitlines() == [
        f"{line}{ends}" for line in (dcgan, f"{dcgan}-sn", f"{start}mad-gan", f"{start}proposed")
    ]
    assert "same command" in said.err and "could not be finished" not in said.err
    assert not (tmp_path / "colgan_work" / "reproduce").exists(), "no report of nothing"
    wanted = Reproduction("table3", "digits", 2, 4, url, tmp_path / "colgan_work")
    for row in wanted.rows():
        work(wanted.request(wanted.config(row), 2 if not row.search else 4))
    assert typed(*words) == 0
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith(f"{start}proposed-again-") and len(studies(url)) == 5
    assert line.split()[3] in studies(url) and values(url, line.split()[3]) == []
    assert typed("reproduce", "figures", *words[2:]) == 0
    studied = [line.split()[3].removeprefix("paper-digits-") for line in capfd.readouterr().out.splitlines()]
    searches = [f"table2-{name}" for name in ("image", "input-side", "output-side")]
    assert studied == ["table1-mad-gan", "table1-proposed", *searches], "Table 3's search is done"


def test_a_prepared_folder_reaches_the_studies_and_the_real_images(
    typed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--data-root` and `--weights` are paths of this machine: not of whoever made the study."""
    words = ("reproduce", "table1", "--scale", "paper", "--storage", "sqlite:///s.db")
    mine = ("--data-root", "/carried/cifar10", "--weights", "/carried/inception.pth")
    assert typed(*words, *mine, "--workers", "0") == 0
    storage = open_storage(f"sqlite:///{tmp_path}/s.db")
    config = open_study(storage, "paper-table1-dcgan").config
    storage.close()
    assert (config.data.root, config.evaluation.weights) == ("/carried/cifar10", "/carried/inception.pth")
    asked: list[Any] = []

    def spy(study: Any, *_: Any) -> None:
        asked.append(study)
        raise Interrupted("seen enough")

    monkeypatch.setattr(real_images, "study_experiment", spy)
    monkeypatch.setattr(reproduce, "_run", lambda request: True)
    assert typed(*words, *mine[:1], "/mine/cifar10", *mine[2:3], "/mine/inception.pth", "--device", "cpu") == 0
    assert asked[0].name == "paper-table1-dcgan"
    assert (asked[0].config.data.root, asked[0].config.evaluation.weights) == ("/mine/cifar10", "/mine/inception.pth")


def test_real_images_under_only_report(typed: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = Reproduction(
        "table1", "digits", 2, storage=f"sqlite:///{tmp_path}/s.db", work_dir=tmp_path / "colgan_work"
    )
    run_table(wanted, work)
    protocol = gather(wanted)[0].protocol
    assert protocol is not None
    words = ("reproduce", "table1", "--scale", "digits", "--seeds", "2", "--only-report", "--storage", "sqlite:///s.db")
    assert typed(*words) == 0
    (line,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("| real images")]
    assert line.endswith("| not run |")
    kept = {"score": {"metrics": {"is_mean": 9.5, "is_std": 0.0}}, "protocol": protocol | {"images": 1797}}
    (tmp_path / "colgan_work" / "reproduce" / "real-images-digits.json").write_text(json.dumps(kept))
    assert typed(*words) == 0
    text = capfd.readouterr().out
    (line,) = [line for line in text.splitlines() if line.startswith("| real images")]
    assert "| 8.70 ± 0.14 |  | 9.50 |" in line and line.endswith("| complete |")
    assert "- real images: protocol 2" in text and '"images": 1797' in text


def test_help_says_that_absolute_values_cannot_be_compared(typed: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert typed("reproduce", "--help") == 0
    said = " ".join(capfd.readouterr().out.replace("│", " ").split())
    assert all(words in said for words in ("8.70", "11.24", "only rows can be compared with rows"))
