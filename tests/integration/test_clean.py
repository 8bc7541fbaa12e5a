"""`clean` shows what would go, then removes exactly that, and nothing of what is unfinished or waits."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from colgan_search.cli.app import run
from colgan_search.file_names import WorkFolder
from colgan_search.search.budget.workers import ProcessId, Registry
from colgan_search.search.delivering import deliver
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import OpenStudy
from tests.fake_worker import PROTOCOL
from tests.integration import cli_helpers as helpers

DAYS_AGO = time.time() - 2 * 86_400


def _old(path: Path, text: str = "x" * 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (DAYS_AGO, DAYS_AGO))
    return path


@pytest.fixture
def study(storage_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    """Three complete trials (the best one stays), a failed one, a running one and one that was given back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLGAN_STORAGE", storage_url)
    config = helpers.small_config(tmp_path, runtime__keep_best=1, service__max_faults=1)
    study = helpers.fake_study(storage_url, config, total=6, done=3)
    for number, fault in enumerate(("out of memory", None, "")):
        claim = study.slots.claim(f"host:2:0000000{number}", 600.0)
        assert claim is not None
        claim = propose.assign(study, claim).claim
        if fault:
            assert study.slots.release(claim, fault, 1)
            deliver.tell_closings(study)
        elif fault is None:
            continue
        else:
            assert study.slots.release(claim)
    work = WorkFolder(tmp_path / "colgan_work")
    for trial in study.load().trials:
        folder = work.run("small", trial.number)
        for name in ("checkpoint.pt", "checkpoint.previous.pt", "generators.safetensors", ".checkpoint.pt.7-ab.tmp"):
            _old(folder / name)
    return study


def _files(tmp_path: Path) -> set[str]:
    root = tmp_path / "colgan_work"
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def _clean(capsys: pytest.CaptureFixture[str], *arguments: str) -> set[str]:
    """Runs `clean --json` and gives what it lists."""
    assert run(["clean", "--study", "small", "--json", *arguments]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["bytes"] == sum(file["bytes"] for file in shown["files"])
    assert shown["removed"] == ("--yes" in arguments)
    root = Path("colgan_work").absolute()
    return {str(Path(file["path"]).relative_to(root)) for file in shown["files"]}


def test_trials_that_were_finished_elsewhere_take_nobodys_place(
    study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best trial left its generators on another machine: the second best of this one is kept here."""
    numbers = [trial.number for trial in sorted(study.load().trials[:3], key=lambda trial: -(trial.value or 0.0))]
    run_folders = tmp_path / "colgan_work" / "small"
    (run_folders / f"trial-{numbers[0]:05d}" / "generators.safetensors").unlink()
    _clean(capsys, "--yes")
    kept = [number for number in numbers if (run_folders / f"trial-{number:05d}/generators.safetensors").exists()]
    assert kept == [numbers[1]]


def test_finished_trials_go_and_unfinished_ones_stay(
    study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = {trial.number: trial.state.name for trial in study.load().trials}
    assert list(states.values()) == ["COMPLETE"] * 3 + ["FAIL", "RUNNING", "RUNNING"]
    before = _files(tmp_path)
    listed = _clean(capsys)
    assert _files(tmp_path) == before, "without --yes nothing goes"

    best = study.load().best_trial.number
    expected = {f"small/trial-{n:05d}/{name}" for n in (0, 1, 2, 3) for name in _names(with_generators=n != best)}
    assert listed == expected
    assert _clean(capsys, "--yes") == expected
    assert _files(tmp_path) == before - expected
    assert {f"small/trial-{n:05d}/checkpoint.pt" for n in (4, 5)} <= _files(tmp_path)
    assert f"small/trial-{best:05d}/generators.safetensors" in _files(tmp_path)
    assert not (tmp_path / "colgan_work/small/trial-00003").exists()
    assert _clean(capsys) == set()


def _names(*, with_generators: bool) -> list[str]:
    names = ["checkpoint.pt", "checkpoint.previous.pt", ".checkpoint.pt.7-ab.tmp"]
    return [*names, "generators.safetensors"] if with_generators else names


def test_results_that_wait_stay_and_unreadable_ones_go(
    study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = tmp_path / "colgan_work/small/spool"
    _old(spool / f"{study.uid}-4-1.json")
    _old(spool / "0123456789abcdef-4-1.json")
    _old(spool / f"{study.uid}-5-1.unreadable")
    _old(spool / ".a.json.5-ff.tmp")
    (spool / ".b.json.6-ff.tmp").write_text("being written")
    listed = _clean(capsys, "--yes")
    assert {name for name in listed if "/spool/" in name} == {
        f"small/spool/{study.uid}-5-1.unreadable",
        "small/spool/.a.json.5-ff.tmp",
    }
    assert {path.name for path in spool.iterdir()} == {
        f"{study.uid}-4-1.json",
        "0123456789abcdef-4-1.json",
        ".b.json.6-ff.tmp",
    }


def test_logs_of_workers_that_are_gone_go(study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = Registry(study.storage, study.uid)
    mine = ProcessId.mine()
    left, elsewhere = replace(mine, host="left"), replace(mine, host="far", machine="another machine")
    killed = replace(mine, host="killed", created=mine.created - 1000.0, ticks=1)
    for process in (mine, left, elsewhere, killed):
        registry.enter(process, "cpu")
    registry.update(left.name, "left")
    folder = tmp_path / "colgan_work/small/logs"
    line = "2026-01-31T12:00:00.000Z INFO {} trial=3 hello\n"
    _old(folder / "1-0.log", line.format("-") + line.format(left.name) + line.format("-"))
    _old(folder / "1-0.log.1", line.format(left.name))
    _old(folder / "1-0.err", "")
    _old(folder / "1-1.log", json.dumps({"worker": killed.name, "trial": "3", "message": "hello"}))
    _old(folder / "2-0.log", line.format(mine.name))
    _old(folder / "3-0.log", line.format(elsewhere.name))
    _old(folder / "4-0.err", "could not begin")
    (folder / "5-0.log").write_text(line.format(left.name))
    listed = _clean(capsys, "--yes")
    assert {name.removeprefix("small/logs/") for name in listed if "/logs/" in name} == {
        "1-0.log",
        "1-0.log.1",
        "1-0.err",
        "1-1.log",
        "4-0.err",
    }
    assert {path.name for path in folder.iterdir()} == {"2-0.log", "3-0.log", "5-0.log"}


def test_caches_go_only_when_told_and_only_if_no_study_was_measured_by_them(
    study: OpenStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "colgan_work/cache"
    used, unused = PROTOCOL.weights_digest, "f" * 16
    card = {"held_out_accuracy": 1.0, "epochs": 1, "classes": ["a"], "real": "digits:2:ab", "architecture": 1}
    for folder in (cache, tmp_path / "colgan_work/small/cache"):
        for name, digest in (("classifier-used", used), ("classifier-old", unused)):
            _old(folder / f"{name}.safetensors")
            _old(folder / f"{name}.json", json.dumps({**card, "weights_digest": digest}))
            _old(folder / f"fid-classifier-{digest}-0123456789abcdef.npz")
    assert not any("cache/" in name for name in _clean(capsys))
    listed = {name for name in _clean(capsys, "--caches", "--yes") if "cache/" in name}
    unneeded = {"classifier-old.safetensors", "classifier-old.json", f"fid-classifier-{unused}-0123456789abcdef.npz"}
    assert listed == {f"{folder}/{name}" for folder in ("cache", "small/cache") for name in unneeded}
    helpers.fake_study(os.environ["COLGAN_STORAGE"], helpers.small_config(tmp_path, name="fresh"), total=1, done=0)
    assert not any("cache/" in name for name in _clean(capsys, "--caches")), "the fresh study may need any"
    assert len(list(cache.iterdir())) == 3


def test_for_people_sizes_are_shown(study: OpenStudy, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["clean", "--study", "small"]) == 0
    assert "15 files, 1.5 KiB would be removed; add --yes" in capsys.readouterr().out
    assert run(["clean", "--study", "small", "--yes"]) == 0
    assert "15 files, 1.5 KiB removed" in capsys.readouterr().out
    assert run(["clean", "--study", "small"]) == 0
    assert "nothing to remove" in capsys.readouterr().out


def test_bad_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["clean", "--study", "none"]) == 2
    assert "there is no such database" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert run(["clean", "--work-dir", "file"]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
