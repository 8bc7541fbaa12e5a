"""Somebody else writes into the database: no command leaves its folder, faints, or lets the terminal be steered."""

import contextlib
import json
import logging
import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from colgan_search.api import doctoring, study_scoring, working
from colgan_search.cli import app
from colgan_search.cli import worker as worker_command
from colgan_search.file_names import WorkFolder
from colgan_search.search import worker as search_worker
from colgan_search.search.database.opening import open_storage
from colgan_search.search.database.urls import normalise_url
from colgan_search.search.study.opening import OpenStudy
from tests.fake_worker import FakeExperiment
from tests.integration import cli_helpers as helpers
from tests.integration import hostile
from tests.integration.hostile import Change
from tests.postgres import Postgres

COMMANDS = ("status", "trials", "best", "doctor", "clean --yes", "worker")
"""Those that read most of a database. `--study small` is added."""

ALL = (
    *COMMANDS,
    "status --json",
    "trials --format csv",
    "best --json",
    "figures",
    "copy --to sqlite:///copy.db",
    "clean --caches --yes",
    "launch --config small.yaml --workers 0",
)


class Drained(threading.Event):
    """A worker never waits: it leaves as soon as it would."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with a study in every state, to be copied and spoilt."""
    folder = tmp_path_factory.mktemp("template")
    study = hostile.make_study(f"sqlite:///{folder / 'study.db'}", folder)
    with study.storage.engine.connect() as db:
        db.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    study.storage.close()
    return folder / "study.db"


@pytest.fixture
def place(tmp_path: Path, quiet_process: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run, with `colgan_work` in it and things of others beside and above it."""
    _quick(monkeypatch)
    folder = tmp_path / "home" / "place"
    for victim in (tmp_path / "victim", folder.parent / "victim", folder / "victim", folder / "colgan_work" / "victim"):
        for name in ("logs/1-0.log", "spool/a.unreadable", "spool/b.json", "trial-00000/checkpoint.pt", "v-1.json"):
            (victim / name).parent.mkdir(parents=True, exist_ok=True)
            (victim / name).write_text("a stranger's")
    (folder / "colgan_work" / "small" / "spool").mkdir(parents=True)
    helpers.write_config(folder, service__max_faults=1)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLGAN_STORAGE", f"sqlite:///{folder / 'study.db'}")
    return folder


def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained, drawn or waited for; all that reads the database is real."""

    def experiment(study: OpenStudy, work: WorkFolder, *_: Any) -> Callable[..., Any]:
        study_scoring.study_cache(study, work)  # the shared files
        return FakeExperiment(0.0, "write")

    def draw(graph: Any, paths: Path | Sequence[Path], *_: Any, **__: Any) -> None:
        for path in [paths] if isinstance(paths, Path) else paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(graph.to_text())

    monkeypatch.setattr(working, "study_experiment", experiment)
    monkeypatch.setattr(working, "_left_in_time", lambda drain: contextlib.nullcontext())
    monkeypatch.setattr(search_worker, "FAULT_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(worker_command, "stop_asked", lambda **_: Drained())
    monkeypatch.setattr(doctoring.health, "of_config", lambda *_: iter(()))
    monkeypatch.setattr("colgan_search.figures.draw_graph", draw)
    for name in ("draw_graph", "draw_ramps", "draw_trials_boxplot", "draw_epochs"):
        monkeypatch.setattr(f"colgan_search.api.figures.{name}", lambda *_, **__: None)


def _run(command: str, capsys: pytest.CaptureFixture[str], name: str | None = "small") -> tuple[int, str]:
    """Exit code and all that was printed."""
    code = app.run([*command.split(), *([] if name is None else ["--study", name])])
    logging.getLogger().handlers[:] = []  # of the worker's log file
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def _outside(place: Path) -> Any:
    """Everything but the study's own folder, the database and the copy."""
    mine = ("home/place/colgan_work/small", "home/place/study.db", "home/place/copy.db")
    return {name: what for name, what in helpers.contents(place.parents[1]).items() if not name.startswith(mine)}


def _faults(command: str, code: int, printed: str) -> list[str]:
    found = [f"{command}: exit code {code}"] if code not in (0, 1, 2) else []
    found += [f"{command}: {printed[-1500:]}"] if "Traceback" in printed or "defect of" in printed else []
    signs = set(hostile.STEERING.findall(printed))
    return found + ([f"{command}: prints {signs}"] if signs else [])


def _require_harmless(
    template: Path, place: Path, capsys: pytest.CaptureFixture[str], changes: Sequence[Change], commands: Sequence[str]
) -> None:
    before, wrong = _outside(place), []
    for change in changes:
        file = hostile.copied(template, place / "study.db")
        if not hostile.apply(file, change):
            continue
        for command in commands:
            code, printed = _run(command, capsys)
            wrong += [f"{change.name}: {fault}" for fault in _faults(command, code, printed)]
            if _outside(place) != before:
                wrong.append(f"{change.name}: {command}: changed what is not its own")
                break
    assert not wrong, "\n".join(wrong)


GROUPS = {
    "columns": hostile.columns,
    "insides": hostile.insides,
    "attributes": hostile.attributes,
    "optunas": hostile.optunas,
}


PARTS = 4
"""Of the long tests, so that several processes share them."""


@pytest.mark.parametrize("group", GROUPS)
def test_a_few_nasty_values_everywhere(
    group: str, template: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of every column and attribute one value, and one command, another one for each; the rest is slow."""
    for number, (target, changes) in enumerate(GROUPS[group](template)):
        chosen = changes[number % len(changes)]
        named = Change(f"{target}: {chosen.name}", chosen.statements)
        _require_harmless(template, place, capsys, [named], COMMANDS[number % 6 :: 6])


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("group", GROUPS)
def test_every_nasty_value_everywhere(
    group: str, part: int, template: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each with a sixth of the commands; every command meets every column and attribute, which have six at least."""
    number = 0
    for target, changes in list(GROUPS[group](template))[part::PARTS]:
        for change in changes:
            number += 1
            named = Change(f"{target}: {change.name}", change.statements)
            _require_harmless(template, place, capsys, [named], ALL[number % 6 :: 6])


def test_a_study_that_is_called_like_a_path(template: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was cleaned and worked on outside of the work folder."""
    hostile.rename(hostile.copied(template, place / "study.db"), "../victim")
    before = _outside(place)
    for command in ("clean --yes", "worker", *ALL[:-1]):  # launch is told the name by a person
        code, printed = _run(command, capsys, "../victim")
        assert _outside(place) == before, command
        assert code == 2 and "'../victim' is not a study's name" in printed, printed


@pytest.mark.parametrize("uid", ["../../../../victim/*", "*", "", "ab"])
def test_an_identity_that_is_a_path_or_a_pattern(
    uid: str, template: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker set other people's JSON aside, wherever it lay."""
    hostile.renew_uid(hostile.copied(template, place / "study.db"), uid)
    before = _outside(place)
    for command in ("worker", *ALL):
        code, printed = _run(command, capsys)
        assert _outside(place) == before, command
        assert code == (1 if command == "doctor" else 2) and "32 hexadecimal digits" in printed, printed


@pytest.mark.parametrize("name", ["../victim", hostile.ESCAPES, "", "*", "a" * 1_000_000, b"\xff"])
def test_a_foreign_study_with_a_nasty_name_is_in_nobodys_way(
    name: Any, template: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = hostile.copied(template, place / "study.db")
    statements = (
        ("INSERT INTO studies (study_name) VALUES (?)", (name,)),
        ("INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (last_insert_rowid(), 'uid', '{')", ()),
    )
    assert hostile.apply(file, Change("foreign", statements))
    for command in ("status", "doctor", "trials", "best", "clean --caches"):
        code, printed = _run(command, capsys, None)
        assert (code, _faults(command, code, printed)) == (0, []), printed


def test_a_text_that_is_no_text(template: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no outage, for which a worker would wait."""
    file = hostile.copied(template, place / "study.db")
    statement = "UPDATE colgan_slots SET worker = CAST(x'2e2e2fff' AS TEXT)"
    assert hostile.apply(file, Change("no text", ((statement, ()),)))
    for command in COMMANDS:
        code, printed = _run(command, capsys)
        assert (code, _faults(command, code, printed)) == (0, []), printed


def test_what_is_said_is_shown_and_not_obeyed(template: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = hostile.copied(template, place / "study.db")
    value, faults = hostile.ESCAPES, [{"worker": "w", "reason": hostile.ESCAPES, "at": 0, "kind": "graph", "epoch": 0}]
    statements = (
        ("UPDATE colgan_workers SET device = ?", (value[:40],)),
        ("UPDATE colgan_slots SET faults = ? WHERE state = 'failing'", (json.dumps(faults),)),
    )
    assert hostile.apply(file, Change("escapes", statements))
    code, printed = _run("status", capsys)
    assert (code, _faults("status", code, printed)) == (0, [])
    assert r"\x1b]0;owned\x07\x1b[31m\x9b2J\u202e[red]x[/red]\r\nerror  forged" in printed
    assert not any(line.startswith("error") for line in printed.splitlines())
    code, printed = _run("status --json", capsys)
    assert json.loads(printed)["failed_trials"][0]["faults"][0]["reason"] == value, "JSON keeps the exact text"


POSTGRESQL = (
    ("UPDATE colgan_workers SET device = :value", hostile.ESCAPES),
    ("UPDATE colgan_workers SET worker = :value", "../victim"),
    ("UPDATE colgan_workers SET last_is = :value", math.nan),
    ("UPDATE colgan_workers SET process = :value", '{"host": "../victim", "pid": -1}'),
    ("UPDATE colgan_slots SET token = :value", -1),
    ("UPDATE colgan_files SET name = :value", "../../../victim/v-1.json"),
    ("UPDATE study_user_attributes SET value_json = :value WHERE key = 'uid'", '"../../../../victim/*"'),
    ("UPDATE studies SET study_name = :value", "../victim"),
)


@pytest.mark.slow
def test_on_postgresql(
    postgres: Postgres, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees to the kinds of columns, but not to what is in them."""
    template = postgres.new_database()
    hostile.make_study(template, place).storage.close()
    before = _outside(place)
    for statement, value in POSTGRESQL:
        url = postgres.new_database(template=str(normalise_url(template).database))
        monkeypatch.setenv("COLGAN_STORAGE", url)
        storage = open_storage(url)
        with storage.transaction() as db:
            db.execute(sa.text(statement), {"value": value})
        storage.close()
        for command in COMMANDS:
            code, printed = _run(command, capsys)
            assert _faults(command, code, printed) == [], statement
            assert _outside(place) == before, (statement, command)
