"""A study moved to another database goes on there: same numbers, same graphs, an exact budget."""

import signal
import subprocess
import sys
from pathlib import Path

import optuna
import optuna_dashboard
import pytest
from optuna.trial import FrozenTrial, TrialState

from colgan_search.cli.app import run
from colgan_search.errors import StudyError
from colgan_search.search.care.copying import COPIED_FROM, copy_study
from colgan_search.search.database.opening import open_storage
from colgan_search.search.proposing import propose
from colgan_search.search.study.opening import create_or_open, open_study
from colgan_search.search.study.shared_files import SharedFiles
from tests.fake_worker import fake_value
from tests.integration import cli_helpers as helpers
from tests.postgres import Postgres

pytestmark = pytest.mark.slow

TOTAL = 8


def _worker(url: str, folder: Path, seconds: float, orders: str = "") -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.fake_worker", "small", str(folder), str(seconds), orders]
    environment = helpers.environment(COLGAN_STORAGE=url)
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)


def _done(url: str) -> int:
    return sum(trial.state == TrialState.COMPLETE for trial in helpers.trials_of(url))


def _begun(trial: FrozenTrial) -> tuple[int, dict[str, object], object, object]:
    return trial.number, trial.params, trial.user_attrs["graph"], trial.user_attrs["seed"]


@pytest.mark.parametrize("direction", ["sqlite to postgresql", "postgresql to sqlite"])
def test_a_half_done_study_goes_on_elsewhere_to_exactly_its_total(
    direction: str, postgres: Postgres, tmp_path: Path
) -> None:
    urls = [f"sqlite:///{tmp_path / 'study.db'}", postgres.new_database()]
    old, new = urls if direction.startswith("sqlite") else reversed(urls)
    config = helpers.small_config(tmp_path, service__lease_seconds=5.0)
    study = create_or_open(open_storage(old, create=True), config, "small", TOTAL)
    optuna_dashboard.save_note(study.load(), "a note on the study")
    first = _worker(old, tmp_path / "work", 0.1, "endless-from:3")
    try:
        helpers.wait_for(lambda: len(helpers.trials_of(old)) == 4, "three results and one trial in work")
    finally:
        assert helpers.end(first, signal.SIGTERM) == 0
    before = helpers.trials_of(old)
    assert [trial.state for trial in before] == [TrialState.COMPLETE] * 3 + [TrialState.RUNNING]

    ran = helpers.run_cli("copy", "--storage", old, cwd=tmp_path, COLGAN_STORAGE_TO=new)
    assert ran.returncode == 0, ran.stderr
    assert f"{_done(old)} of {TOTAL} results" in ran.stdout

    assert list(map(_begun, helpers.trials_of(new))) == list(map(_begun, before))
    assert [trial.state for trial in helpers.trials_of(new)] == [trial.state for trial in before]
    assert optuna_dashboard.get_note(helpers.optuna_study(new)) == "a note on the study"
    workers = [_worker(new, tmp_path / "work", 0.1) for _ in range(3)]
    try:
        assert [worker.wait(timeout=helpers.WAIT_SECONDS) for worker in workers] == [0, 0, 0]
    finally:
        for worker in workers:
            helpers.end(worker)

    after = helpers.require_complete(new, TOTAL)
    assert [trial.value for trial in after] == [
        fake_value(trial.user_attrs["graph"], trial.user_attrs["seed"]) for trial in after
    ]
    assert list(map(_begun, after))[: len(before)] == list(map(_begun, before))
    assert [trial.value for trial in after if trial.number in _numbers_done(before)] == [
        trial.value for trial in before if trial.state == TrialState.COMPLETE
    ]
    assert list(map(_begun, helpers.trials_of(old))) == list(map(_begun, before))


def _numbers_done(trials: list[FrozenTrial]) -> set[int]:
    return {trial.number for trial in trials if trial.state == TrialState.COMPLETE}


def test_a_study_with_a_lease_is_not_copied(storage_url: str, tmp_path: Path) -> None:
    config = helpers.small_config(tmp_path)
    study = helpers.fake_study(storage_url, config, total=4, done=1)
    claim = study.slots.claim("elsewhere:7:00000001", 60.0)
    assert claim is not None
    target = open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True)
    with pytest.raises(StudyError, match="elsewhere:7:00000001; drain them first"):
        copy_study(study, target, "small")
    assert optuna.get_all_study_names(target.optuna) == []
    assert study.slots.release(claim)
    assert copy_study(study, target, "small").slots.budget().done == 1


def test_a_lease_that_ran_out_is_free_in_the_copy(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=1)
    late = study.slots.claim("elsewhere:7:00000001", -5.0)
    assert late is not None
    number = propose.assign(study, late).trial_number
    copied = copy_study(study, open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True), "small")
    assert (copied.slots.budget().running, copied.slots.budget().free) == (0, 1)
    claim = copied.slots.claim("here:1:00000001", 60.0)
    assert claim is not None
    assert (claim.trial_number, claim.taken_over) == (number, False)


def test_work_during_the_copy_undoes_it(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=2)
    target = open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True)

    def claim_meanwhile(done: int, total: int) -> None:
        if done == total:
            assert study.slots.claim("late:9:00000001", 60.0) is not None

    with pytest.raises(StudyError, match="went on while it was copied"):
        copy_study(study, target, "small", claim_meanwhile)
    assert optuna.get_all_study_names(target.optuna) == []


def test_a_copy_that_was_cut_short_is_unusable_and_replaced_by_the_next(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=3)
    target = open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True)

    def die(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_study(study, target, "small", die)
    with pytest.raises(StudyError, match="did not make"):
        open_study(target, "small")
    copied = copy_study(study, target, "small")
    assert copied.slots.budget().done == 3
    assert [trial.number for trial in copied.load().trials] == [0, 1, 2]
    assert COPIED_FROM in copied.load().user_attrs


def test_two_copies_never_share_results(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=4, done=1)
    copied = copy_study(study, study.storage, "twin")
    assert copied.uid != study.uid
    claim = copied.slots.claim("w:1:00000001", 60.0)
    assert claim is not None
    assert propose.assign(copied, claim).trial_number == 1
    assert study.slots.budget().running == 0
    assert len(study.load().trials) == 1


def test_the_classifier_that_scores_goes_along(storage_url: str, tmp_path: Path) -> None:
    study = helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=2, done=1)
    weights = tmp_path / "classifier-ab.safetensors"
    weights.write_bytes(bytes(range(256)))
    assert SharedFiles(study).push([weights])
    copied = copy_study(study, open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True), "small")
    (pulled,) = SharedFiles(copied).pull(tmp_path / "pulled")
    assert (pulled.name, pulled.read_bytes()) == (weights.name, bytes(range(256)))


def test_notes_on_trials_follow_their_trials(storage_url: str, tmp_path: Path) -> None:
    helpers.fake_study(storage_url, helpers.small_config(tmp_path), total=1, done=1)
    storage = open_storage(storage_url)
    # A second study: its trials' numbers in the database are not their numbers in the study.
    config = helpers.small_config(tmp_path, name="second")
    second = helpers.fake_study(storage_url, config, total=3, done=2)
    trial = second.load().trials[1]
    optuna_dashboard.save_note(optuna.trial.Trial(second.load(), trial._trial_id), "about trial 1")
    target = open_storage(f"sqlite:///{tmp_path / 'other.db'}", create=True)
    copied = copy_study(second, target, "second").load()
    notes = [optuna_dashboard.get_note(optuna.trial.Trial(copied, t._trial_id)) for t in copied.trials]
    assert notes == ["", "about trial 1"]
    assert storage.name  # the first study's database is still open


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "sqlite:///study.db"], "needs another database"),
        (["--to", "oracle://host/db"], "unknown kind 'oracle'"),
        (["--to", "sqlite:///b.db", "--name", "../x"], "--name"),
        (["--to", "sqlite:///b.db", "--study", "none"], "there is no study 'none'"),
        (["--to", "sqlite:///b.db", "--storage", "sqlite:///missing.db"], "there is no such database"),
        ([], "--to"),
    ],
)
def test_what_cannot_be_copied_is_said_in_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    helpers.fake_study(f"sqlite:///{tmp_path / 'study.db'}", helpers.small_config(tmp_path), total=1, done=1)
    code = run(["copy", "--storage", "sqlite:///study.db", *arguments])
    printed = capsys.readouterr().err
    assert code == 2, printed
    assert said in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "b.db").exists()


def test_a_name_that_exists_there_is_refused(tmp_path: Path) -> None:
    config = helpers.small_config(tmp_path)
    study = helpers.fake_study(f"sqlite:///{tmp_path / 'study.db'}", config, total=2, done=1)
    other = helpers.fake_study(f"sqlite:///{tmp_path / 'other.db'}", config, total=5, done=2)
    with pytest.raises(StudyError, match="there is a study 'small' already"):
        copy_study(study, other.storage, "small")
    assert other.slots.budget().done == 2
    assert copy_study(study, other.storage, "small-2").slots.budget().done == 1


def test_results_that_wait_on_this_machine_are_delivered_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study = helpers.fake_study(f"sqlite:///{tmp_path / 'study.db'}", helpers.small_config(tmp_path), total=2, done=1)
    spool = tmp_path / "colgan_work" / "small" / "spool"
    spool.mkdir(parents=True)
    (spool / f"{study.uid}-1-1.json").write_text("{}")
    assert run(["copy", "--storage", "sqlite:///study.db", "--to", "sqlite:///b.db"]) == 2
    assert "1 results of study 'small' wait to be delivered" in capsys.readouterr().err
