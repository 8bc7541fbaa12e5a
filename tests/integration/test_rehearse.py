"""`rehearse` at the command line: table, files, going on, tables made of studies, bad input."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from colgan_search.cli.app import run
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import EpochScores, GeneratorScore, Outcome, Protocol, Scores
from colgan_search.rehearsal import table
from colgan_search.search.care.reusing import reuse
from colgan_search.search.delivering import deliver
from colgan_search.search.delivering.deliver import Spool, Spooled
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy, open_study
from colgan_search.symmetry import canonical
from tests.fleet import fake_config, make_study
from tests.integration.cli_helpers import WAIT_SECONDS, end, run_cli, start_cli, wait_for
from tests.rehearsal import tiny_table

SMALL = ["--functions", "cliffs", "--k", "2", "--workers", "2", "--trials", "3,5", "--strategies", "tpe,random"]


def test_table_files_and_going_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.write(tmp_path / "tiny.csv", tiny_table())
    words = ["rehearse", *SMALL, "--tables", str(tmp_path / "tiny.csv"), "--out", str(tmp_path / "out")]
    assert run([*words, "--seeds", "2"]) == 0
    shown = capsys.readouterr()
    assert "cliffs" in shown.out and "tiny" in shown.out and "regret.png" in shown.err
    names = {"rehearsal-runs.jsonl", "rehearsal-table.csv", "rehearsal-table.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {
        f"regret.{end}" for end in ("png", "svg", "pdf")
    }
    before = (tmp_path / "out" / "rehearsal-runs.jsonl").read_text()
    assert before.count("\n") == 1 + 2 * 2 * 2
    assert run([*words, "--seeds", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(line["problem"], line["strategy"]) for line in found} == {
        *(("cliffs", name) for name in ("tpe", "random")),
        *(("tiny", name) for name in ("tpe", "random")),
    }
    assert {line["seeds"] for line in found} == {3}
    assert (tmp_path / "out" / "rehearsal-runs.jsonl").read_text().startswith(before)
    record = json.loads((tmp_path / "out" / "rehearsal-table.json").read_text())
    assert record["settings"]["workers"] == 2 and record["lines"] == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--functions", "nothing"], "unknown function 'nothing'; known are: maximum"),
        (["--tables", "nothing"], "unknown table 'nothing'; shipped are"),
        (["--tables", "no.csv"], "no.csv: is not there"),
        (["--functions", "cliffs", "--strategies", "nothing"], "unknown strategy 'nothing'; known are: random"),
        (["--functions", ","], "a function or a table"),
        (["--functions", "cliffs", "--strategies", ""], "a strategy"),
        (["--functions", "cliffs", "--trials", "60,30"], "--trials 60,30"),
        (["--functions", "cliffs", "--trials", "many"], "--trials many"),
        (["--functions", "cliffs", "--noise", "-1"], "--noise"),
        (["--functions", "cliffs", "--k", "4"], "k = 4 with 4 gates has 4,294,967,296 assignments"),
        (["--functions", "cliffs", "--workers", "0"], "--workers"),
        (["--export", "study"], "--out FILE.csv"),
        (["--export", "study", "--out", "table.txt"], "ends in .csv"),
        (["--export", "study", "--out", "my table.csv"], "'my table' is no table's name"),
        (["--export", "study", "--out", "table.csv"], "studies.db"),
    ],
)
def test_bad_input_writes_nothing(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLGAN_STORAGE", raising=False)
    assert run(["rehearse", *words]) == 2
    shown = capsys.readouterr()
    assert said in shown.err and "Traceback" not in shown.err and shown.out == ""
    assert list(tmp_path.iterdir()) == []


def scores(first: float, images: int = 10) -> Scores:
    protocol = Protocol(
        extractor="classifier",
        weights_digest="0" * 16,
        resolution=16,
        channels=1,
        images=images,
        splits=1,
        reference=None,
    )
    generators = tuple(GeneratorScore(metrics={"is_mean": first - i, "is_std": 0.0, "fid": 5.0 + i}) for i in (0, 1))
    return Scores(generators=generators, protocol=protocol)


def deliver_one(study: OpenStudy, work: Path, value: float, **changes: Any) -> KnowledgeTransferGraph:
    """A trial with two moments: G1's IS is `value` at the end, G2's lower by 1."""
    claim = study.slots.claim("w", 60.0)
    assert claim is not None
    assignment = propose.assign(study, claim)
    fields: dict[str, Any] = {
        "graph": assignment.graph.to_text(),
        "seed": assignment.seed,
        "value": value,
        "scores": scores(value),
        "history": (EpochScores(epoch=2, scores=scores(value - 0.5)), EpochScores(epoch=4, scores=scores(value))),
        "iterations": 1,
        "seconds": 7.0,
        "device": "cpu",
    }
    spool = Spool(work / "spool")
    spool.put(
        Spooled(
            uid=study.uid,
            study=study.name,
            slot=claim.slot,
            token=claim.token,
            trial_number=assignment.trial_number,
            worker="w",
            outcome=Outcome(**(fields | changes)),
        )
    )
    deliver.deliver_spooled(study, spool)
    deliver.tell_closings(study)
    return assignment.graph


def test_a_table_is_made_of_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    given = ["G1=G2:t/G2=D:t", "G1=D:t/G2=D:p"]
    graphs = []
    for name, seed in (("first", 1), ("second", 2)):
        config = fake_config(
            name, seed=seed, search={"sampler": "repeat", "first": given}, training={"epochs": 4, "batch": 64}
        )
        study = make_study(url, 3, config)
        graphs += [deliver_one(study, tmp_path, 5.0), deliver_one(study, tmp_path, 6.0)]
        lost = {"scores": None, "diverged": "NaN in G1", "history": ()}
        deliver_one(study, tmp_path, 1.0, **lost)
        study.storage.close()
    out = tmp_path / "both.csv"
    words = ["rehearse", "--export", "first", "--export", "second", "--storage", url, "--out", str(out)]
    assert run([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(out), "graphs": 2, "trainings": 6}
    made = table.read(out)
    assert made.card.command == "colgan-search rehearse --export first --export second --out both.csv"
    assert (made.card.name, made.card.moments, made.card.epochs, made.card.k) == ("both", (2, 4), 4, 2)
    assert len(made.card.fingerprints) == 2  # of two seeds, and so of two studies
    by_trial = {(row.study, row.trial): row for row in made.rows}
    assert {row.graph for row in made.rows} == {str(canonical(graph)) for graph in graphs}
    # G1=G2:t/G2=D:t is canonical the other way round, and so are its generators' scores.
    turned, straight = by_trial["first", 0], by_trial["second", 1]
    assert (turned.graph, turned.scores, turned.fid) == ("G1=D:t/G2=G1:t", ((3.5, 4.5), (4.0, 5.0)), (6.0, 5.0))
    assert (straight.graph, straight.scores) == ("G1=D:t/G2=D:p", ((5.5, 4.5), (6.0, 5.0)))
    assert by_trial["first", 2].diverged and by_trial["first", 2].scores == ((None, None), (None, None))


def test_a_table_grows_by_a_study_of_another_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "grown.csv"
    urls = [f"sqlite:///{tmp_path / f'{place}.db'}" for place in "ab"]
    for url, name, seed in zip(urls, ("first", "second"), (0, 3), strict=True):
        study = make_study(url, 2, fake_config(name, seed=seed, training={"epochs": 4, "batch": 64}))
        deliver_one(study, tmp_path, 5.0)
        if name == "second":
            deliver_one(study, tmp_path, 6.0)
        study.storage.close()
    words = ["rehearse", "--out", str(out)]
    assert run([*words, "--export", "first", "--storage", urls[0]]) == 0
    (kept,) = table.read(out).rows
    for _ in range(2):  # what comes twice counts once
        assert run([*words, "--export", str(out), "--export", "second", "--storage", urls[1]]) == 0
        grown = table.read(out)
        assert {(row.study, row.trial) for row in grown.rows if row != kept} == {("second", 0), ("second", 1)}
        assert len(grown.rows) == 3
        assert grown.card.command == "colgan-search rehearse --export grown.csv --export second --out grown.csv"
    capsys.readouterr()
    before = out.read_bytes()
    out.with_suffix(".json").write_text(out.with_suffix(".json").read_text().replace('"images": 10', '"images": 20'))
    assert run([*words, "--export", str(out), "--export", "second", "--storage", urls[1]]) == 2
    assert "'second' does not fit what is named before it in one table: its protocol is" in capsys.readouterr().err
    assert out.read_bytes() == before
    study = make_study(
        f"sqlite:///{tmp_path / 'c.db'}", 2, fake_config("second", seed=9, training={"epochs": 4, "batch": 64})
    )
    deliver_one(study, tmp_path, 5.0)
    study.storage.close()
    out.with_suffix(".json").write_text(out.with_suffix(".json").read_text().replace('"images": 20', '"images": 10'))
    assert run([*words, "--export", str(out), "--export", "second", "--storage", f"sqlite:///{tmp_path / 'c.db'}"]) == 2
    assert (
        "trial 0 of second is another training than the one of that name before it; rename" in capsys.readouterr().err
    )
    assert out.read_bytes() == before
    out.write_text(out.read_text().replace("5.0\n", "4.9\n", 1).replace("5.0,", "4.9,", 1))  # same graph and seed
    changed = out.read_bytes()
    assert changed != before
    assert run([*words, "--export", str(out), "--export", "second", "--storage", urls[1]]) == 2
    assert "of second is another training than the one of that name" in capsys.readouterr().err
    assert out.read_bytes() == changed
    assert run([*words, "--export", "nowhere.csv", "--export", "second", "--storage", urls[1]]) == 2
    assert "nowhere.csv: is not there" in capsys.readouterr().err


def test_a_training_counts_once_whatever_its_names(tmp_path: Path) -> None:
    """One that was taken over, and one that a study of the same seed did alike; another outcome is another training."""
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    search = {"sampler": "repeat", "first": ["G1=G2:t/G2=D:t"]}
    for name, value in (("first", 5.0), ("alike", 5.0), ("other", 6.0)):
        study = make_study(url, 2, fake_config(name, search=search, training={"epochs": 4, "batch": 64}))
        deliver_one(study, tmp_path, value)
        study.storage.close()
    taker = make_study(url, 2, fake_config("taker", seed=7, search=search, training={"epochs": 4, "batch": 64}))
    assert reuse(taker, open_study(taker.storage, "first")).taken == 1
    taker.storage.close()
    out = tmp_path / "all.csv"
    words = [word for name in ("first", "alike", "taker", "other") for word in ("--export", name)]
    assert run(["rehearse", *words, "--storage", url, "--out", str(out)]) == 0
    assert [(row.study, row.scores[-1]) for row in table.read(out).rows] == [
        ("first", (4.0, 5.0)),
        ("other", (5.0, 6.0)),
    ]


def test_studies_that_are_measured_otherwise_are_no_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    for name, epochs, images in (("first", 4, 10), ("longer", 8, 10), ("finer", 4, 20), ("mixed", 4, 10)):
        study = make_study(url, 2, fake_config(name, training={"epochs": epochs, "batch": 64}))
        ends = EpochScores(epoch=epochs, scores=scores(5.0, images))
        deliver_one(study, tmp_path, 5.0, scores=scores(5.0, images), history=(ends,))
        if name == "mixed":
            deliver_one(study, tmp_path, 5.0)
        study.storage.close()
    out = tmp_path / "both.csv"
    for others, said in (
        (["longer"], "'longer' does not fit what is named before it in one table: its epochs is 8, theirs 4"),
        (["finer"], "'finer' does not fit what is named before it in one table: its protocol is"),
        (["mixed"], "'mixed': trial 1 was scored after the epochs [2, 4], others after [4]"),
        (["nothing"], "nothing"),
    ):
        words = [word for name in ["first", *others] for word in ("--export", name)]
        assert run(["rehearse", *words, "--storage", url, "--out", str(out)]) == 2
        assert said in capsys.readouterr().err
        assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_it_says_how_far_it_is_and_goes_on(number: int, tmp_path: Path) -> None:
    words = ["rehearse", *SMALL, "--out", "out", "--seeds"]
    running = start_cli(*words, "100000", cwd=tmp_path)
    kept = tmp_path / "out" / "rehearsal-runs.jsonl"
    wait_for(lambda: kept.is_file() and kept.read_text().count("\n") > 3, "three searches")
    assert end(running, number) == 0
    (output,) = tmp_path.glob("output-*")
    said = output.read_text()
    assert "of 200000 searches are done, and the same command goes on" in said and "Traceback" not in said
    before = kept.read_text().rpartition("\n")[0]
    assert run_cli(*words, "1", cwd=tmp_path).returncode == 0
    assert kept.read_text().startswith(before)


@pytest.mark.slow
def test_several_processes_end_with_it(tmp_path: Path) -> None:
    """They are in searches of minutes; Ctrl-C comes to all of them, as from a terminal."""
    words = ["rehearse", "--functions", "maximum", "--strategies", "graph", "--trials", "3000", "--processes", "2"]
    running = start_cli(*words, "--out", "out", cwd=tmp_path)
    children = wait_for(lambda: len(found := _at_work(running.pid)) == 2 and found, "two processes")
    for pid in (*children, running.pid):
        os.kill(pid, signal.SIGINT)
    try:
        assert running.wait(WAIT_SECONDS) == 0
    finally:
        for child in filter(psutil.pid_exists, children if running.poll() is None else ()):
            os.kill(child, signal.SIGKILL)
        end(running)
    (output,) = tmp_path.glob("output-*")
    said = output.read_text()
    assert "stopped; 0 of 10 searches are done, and the same command goes on" in said and "Traceback" not in said
    assert not [child for child in children if Path(f"/proc/{child}").exists()]


@pytest.mark.slow
def test_a_process_that_is_killed_is_said_and_the_same_command_goes_on(tmp_path: Path) -> None:
    words = ["rehearse", *SMALL, "--out", "out", "--processes", "2", "--seeds"]
    running = start_cli(*words, "100000", cwd=tmp_path)
    kept = tmp_path / "out" / "rehearsal-runs.jsonl"
    wait_for(lambda: kept.is_file() and kept.read_text().count("\n") > 3, "three searches")
    os.kill(_at_work(running.pid)[0], signal.SIGKILL)
    assert running.wait(WAIT_SECONDS) == 1
    (output,) = tmp_path.glob("output-*")
    said = output.read_text()
    assert "error: a process of the rehearsal was killed" in said and "Traceback" not in said
    assert run_cli(*words, "1", cwd=tmp_path).returncode == 0


def _at_work(pid: int) -> list[int]:
    """Its processes that search: they have loaded NumPy, which multiprocessing's own helper has not."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if "numpy" in Path(f"/proc/{child}/maps").read_text()]
