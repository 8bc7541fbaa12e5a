"""What is handed to schedulers' programs, by programs that write down what they are told."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from colgan_search.api import running
from colgan_search.api.running import run_to_end
from colgan_search.cli import cluster_options
from colgan_search.cli.app import run
from colgan_search.config import parse_config
from colgan_search.errors import ColganError, Interrupted
from colgan_search.extensions.launchers import HandedIn, LauncherSettings
from colgan_search.file_names import WorkFolder
from colgan_search.launchers.cluster_workers import ClusterWorkers
from colgan_search.launchers.slurm_checks import judged, parsed
from colgan_search.launchers.slurm_settings import SlurmSettings
from colgan_search.search.budget import draining
from colgan_search.search.worker import Worker
from tests.fake_worker import FakeExperiment
from tests.fleet import make_study, wait_until
from tests.integration.cli_helpers import config_data, fake_study, small_config
from tests.integration.conftest import quiet_process  # noqa: F401

PROGRAM = """#!/usr/bin/env python3
import json, os, sys
given = "" if sys.stdin.isatty() or "--filename=-" not in sys.argv else sys.stdin.read()
secrets = [name for name in ("COLGAN_STORAGE", "PGPASSWORD") if name in os.environ]
with open(os.environ["TOLD"], "a") as told:
    told.write(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], given, secrets]) + "\\n")
print(os.environ.get("ANSWER_" + os.path.basename(sys.argv[0]).upper(), ""))
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of what the programs are told, a line each."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sbatch", "squeue", "scancel", "kubectl", "sky"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    monkeypatch.setenv("ANSWER_KUBECTL", '{"status": {}}')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(config_data()))
    return tmp_path / "told"


def lines(told: Path) -> list[tuple[str, list[str], str, list[str]]]:
    return [tuple(json.loads(line)) for line in told.read_text().splitlines()] if told.exists() else []  # type: ignore[misc]


def ctrl_c_when_watched() -> None:
    """Presses it once the watch has taken the signal over."""
    before = signal.getsignal(signal.SIGINT)

    def press() -> None:
        wait_until(lambda: signal.getsignal(signal.SIGINT) is not before, "the watch begins")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()


@pytest.mark.usefixtures("quiet_process")
def test_launch_on_slurm_submits_and_tells_when_all_elements_are_gone(
    told: Path,
    prepared_postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", prepared_postgres_url)
    command = ["launch", "--config", "small.yaml", "--on", "slurm", "--workers", "3", "--partition", "gpu"]
    assert run([*command, "--out", str(tmp_path / "out"), "--dry-run"]) == 0
    assert lines(told) == [], "nothing is handed in"
    said = capsys.readouterr().err
    assert f"hand them in: sbatch {tmp_path}/out/workers.sbatch" in said and "#SBATCH" not in said
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["logs", "pgpass", "workers.sbatch"]
    script = (tmp_path / "out" / "workers.sbatch").read_text()
    assert "#SBATCH --array=0-2\n" in script and "#SBATCH --partition=gpu\n" in script
    (tmp_path / "out" / "logs" / "1_0.log").write_text("slurmstepd: error: no such node\n")
    assert run([*command, "--out", str(tmp_path / "out")]) == 1, "squeue lists nothing any more"
    assert "0 of 2 trials done" in (said := capsys.readouterr().err) and "no such node" in said
    programs = [(name, arguments) for name, arguments, _, _ in lines(told)]
    assert ("sbatch", [f"{tmp_path}/out/workers.sbatch"]) in programs
    assert {name for name, _ in programs} == {"squeue", "sbatch"}
    assert all(secrets == [] for *_, secrets in lines(told)), "Slurm would keep them with the job"
    # One that is there already is watched, not handed in again; Ctrl-C leaves it alone.
    told.unlink()
    monkeypatch.setenv("ANSWER_SQUEUE", "1_0 1_1")
    ctrl_c_when_watched()
    assert run([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "the workers go on without this view" in said and "`colgan-search drain` of study small" in said
    assert {name for name, *_ in lines(told)} == {"squeue"}


@pytest.mark.usefixtures("quiet_process")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "slurm", "--image", "a"], "--image: cluster.image: unknown key"),
        (["--on", "kubernetes", "--partition", "a"], "--partition: cluster.partition: unknown key"),
        (["--partition", "a"], "--partition: cluster.partition: unknown key; known here: kind, workers, checkpoints"),
        (["--on", "slurm", "--partition", "a b"], "--partition: cluster.partition: 'a b' is not allowed"),
        (["--on", "slurm", "--device", "cuda:1"], "--device cuda:1: slurm gives workers their devices"),
        (["--on", "slurm", "--workers", "20000"], "--workers 20000 is not allowed"),
        (["--out", "somewhere"], "--out somewhere: local writes no files"),
        (["--on", "slurm", "--out", "small.yaml"], "--out small.yaml"),
        (["--on", "slurm"], "SQLite serves one machine"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(
    options: list[str], message: str, told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["launch", "--config", "small.yaml", "--work-dir", "work", *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("error:") == 1 and "Traceback" not in said
    assert not (tmp_path / "work").exists() and lines(told) == []


@pytest.mark.usefixtures("quiet_process")
def test_kubernetes_with_a_database_of_its_own(told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["launch", "--config", "small.yaml", "--on", "kubernetes", "--workers", "2", "--namespace", "gans"]
    command += ["--set", "cluster.postgres=true", "--out", "out"]
    assert run([*command, "--dry-run"]) == 0
    assert lines(told) == [] and "kubectl create secret generic colgan-search" in capsys.readouterr().err
    assert run(command) == 0
    assert "kubectl port-forward --namespace gans service/colgan-db" in capsys.readouterr().err
    calls = [arguments for _, arguments, _, _ in lines(told)]
    assert ["apply", "-k", str(tmp_path / "out")] == calls[-1]
    assert any("create" in call and f"--from-file=password={tmp_path}/out/password" in call for call in calls)
    password = (tmp_path / "out" / "password").read_text()
    assert all(password not in word for call in calls for word in call), "never on a command line"
    assert (
        yaml.safe_load(next(yaml.safe_load_all((tmp_path / "out/study.yaml").read_text()))["data"]["study.yaml"])["k"]
        == 2
    )


@pytest.mark.usefixtures("quiet_process")
def test_kubernetes_jobs_that_have_ended_are_made_anew_so_that_a_study_can_be_extended(
    told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
    monkeypatch.setenv("ANSWER_KUBECTL", json.dumps(ended))
    command = ["launch", "--config", "small.yaml", "--on", "kubernetes", "--set", "cluster.postgres=true"]
    assert run([*command, "--trials", "5", "--out", "out"]) == 0
    calls = [arguments for _, arguments, _, _ in lines(told)]
    deleted = [call[call.index("job") + 1] for call in calls if "delete" in call]
    assert deleted == ["colgan-small", "colgan-small-study"]
    assert calls[-1][:2] == ["apply", "-k"], "and only then applied"


@pytest.mark.usefixtures("quiet_process")
def test_skypilot_gets_one_job_for_each_worker_that_is_not_there(
    told: Path, prepared_postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", prepared_postgres_url)
    monkeypatch.setenv("ANSWER_SKY", "7  1  colgan-small-1  RUNNING")
    ctrl_c_when_watched()
    command = ["launch", "--config", "small.yaml", "--on", "skypilot", "--workers", "3", "--out", "out"]
    assert run(command) == 0
    launched = [arguments for name, arguments, _, _ in lines(told) if "launch" in arguments]
    assert [call[call.index("--name") + 1] for call in launched] == ["colgan-small-0", "colgan-small-2"]
    assert all(f"{tmp_path}/out/password.env" in call for call in launched)


def test_the_watch_ends_with_the_study_with_a_drain_and_with_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "POLL_SECONDS", 0.001)
    study = make_study(f"sqlite:///{tmp_path / 's.db'}", 2)
    tidied: list[bool] = []

    def watched(alive: int | None, look: object = None) -> ClusterWorkers:
        return ClusterWorkers(study, 4, HandedIn(lambda: alive, lambda: "last words", lambda: tidied.append(True)))

    workers = watched(None)
    with pytest.raises(Interrupted, match="0 of 2 trials done; the workers go on without this view"):
        run_to_end(study, workers, workers.drain).require_finished()
    with pytest.raises(ColganError, match="all workers have ended with 0 of 2 trials done:\n  last words"):
        run_to_end(study, watched(0)).require_finished()
    draining.ask(study.storage, study.uid)
    with pytest.raises(Interrupted, match="stopped with 0 of 2 trials done; the same command goes on"):
        run_to_end(study, watched(3)).require_finished()
    draining.lift(study.storage, study.uid)
    Worker(study, FakeExperiment(0.0), WorkFolder(tmp_path), "cpu", threading.Event()).run()
    assert tidied == []
    run_to_end(study, watched(3)).require_finished()
    assert tidied == [True], "elements that wait in the queue are taken back"
    study.storage.close()


CONFIG = """\
Configuration data as of 2026-11-27T19:00:00
ClusterName             = one
JobRequeue              = 1
KillWait                = 30 sec
MaxArraySize            = 1001
PreemptMode             = REQUEUE
PreemptType             = preempt/partition_prio
SLURM_VERSION           = 22.05.8
SlurmctldParameters     = preempt_send_user_signal
SwitchParameters        = (null)

Slurmctld(primary) at vm is UP
"""
"""As `scontrol show config` of Slurm 22.05 prints it."""


@pytest.mark.parametrize(
    ("line", "workers", "check", "level"),
    [
        ("", 1, "", "ok"),
        ("KillWait                = 10 sec", 1, "slurm KillWait", "warning"),
        ("JobRequeue              = 0", 1, "slurm requeue", "warning"),
        ("SlurmctldParameters     = (null)", 1, "slurm preemption", "warning"),
        ("PreemptMode             = CANCEL", 1, "slurm preemption", "warning"),
        ("PreemptMode             = GANG,SUSPEND", 1, "slurm preemption", "ok"),
        ("PreemptMode             = OFF", 1, "slurm preemption", "ok"),
        ("MaxArraySize            = 4", 5, "slurm array", "error"),
    ],
)
def test_the_doctor_says_what_a_cluster_would_do(line: str, workers: int, check: str, level: str) -> None:
    key = line.split("=")[0].strip()
    text = "\n".join(line if key and one.startswith(key) else one for one in CONFIG.splitlines())
    found = {one.name: one for one in judged(parsed(text), SlurmSettings(kind="slurm", workers=workers))}
    assert {name: one.level for name, one in found.items() if one.level != "ok"} == (
        {check: level} if level != "ok" else {}
    )
    assert all(one.advice for one in found.values() if one.level != "ok")


@pytest.mark.slow
@pytest.mark.usefixtures("quiet_process")
def test_confirm_on_slurm_writes_and_submits_one_study_after_the_other(
    told: Path,
    prepared_postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLGAN_STORAGE", prepared_postgres_url)
    config = small_config(tmp_path, search__trials=4, search__sampler="random")
    fake_study(prepared_postgres_url, config, 4, 4).storage.close()
    command = ["confirm", "--study", "small", "--top", "2", "--seeds", "2", "--on", "slurm", "--workers", "3"]
    command += ["--partition", "gpu", "--set", "cluster.qos=long", "--line", "module load cuda", "--out", "out"]
    assert run([*command, "--dry-run"]) == 0
    said = capsys.readouterr().err
    for study in ("small-confirm", "small-confirm-dcgan"):
        script = (tmp_path / "out" / study / "workers.sbatch").read_text()
        assert "#SBATCH --array=0-2\n" in script and "#SBATCH --partition=gpu\n" in script
        assert "#SBATCH --qos=long\n" in script and "\nmodule load cuda\n" in script
        assert f"worker --study {study} " in script
        assert f"hand them in: sbatch {tmp_path}/out/{study}/workers.sbatch" in said
    assert lines(told) == [], "nothing is handed in"
    # Without --dry-run the race is handed in and watched; the other study waits for its end.
    assert run(command) == 1, "squeue lists nothing any more"
    submitted = [arguments for name, arguments, _, _ in lines(told) if name == "sbatch"]
    assert submitted == [[f"{tmp_path}/out/small-confirm/workers.sbatch"]]
    # The same from the section of a config.
    (tmp_path / "ours.yaml").write_text(yaml.safe_dump(config_data(cluster={"kind": "slurm", "account": "lab"})))
    assert run(["confirm", "--study", "small-confirm", "--config", "ours.yaml", "--dry-run", "--out", "other"]) == 0
    assert "#SBATCH --account=lab\n" in (tmp_path / "other" / "small-confirm" / "workers.sbatch").read_text()


@pytest.mark.usefixtures("quiet_process")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "slurm", "--set", "training.epochs=1"], "--set training.epochs=1: a confirmation has its search's"),
        (["--partition", "a"], "--partition: cluster.partition: unknown key; known here: kind, workers, checkpoints"),
        (["--on", "slurn"], "slurn"),
        (["--on", "slurm"], "SQLite serves one machine"),
        (["--on", "kubernetes", "--set", "cluster.postgres=true"], "`cluster.postgres` brings a database along"),
    ],
)
def test_confirm_refuses_what_does_not_fit_in_one_line(
    options: list[str], message: str, told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    config = small_config(tmp_path, search__trials=4, search__sampler="random")
    fake_study(url, config, 4, 4).storage.close()
    assert run(["confirm", "--storage", url, "--study", "small", "--work-dir", "work", "--seeds", "2", *options]) == 2
    said = capsys.readouterr().err
    assert message in said and said.count("error:") == 1 and "Traceback" not in said
    assert lines(told) == []


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "local"},
        {"kind": "local", "checkpoints": "/shared/check points"},
        {"kind": "slurm", "workers": 16, "partition": "gpu", "lines": ["module load cuda/12.8", 'echo "it\'s on"']},
        {"kind": "kubernetes", "image": "me/colgan:1", "node_selector": {"gpu": "yes"}, "grace_seconds": 90},
    ],
)
def test_what_launch_offers_for_confirm_says_the_same_section(given: dict[str, Any]) -> None:
    settings = parse_config(config_data(cluster=given), "test").cluster
    words = cluster_options.words(settings)
    said = dict(zip(words[::2], words[1::2], strict=True))
    again = cluster_options.section(
        None, said.get("--on"), [v for o, v in zip(words[::2], words[1::2], strict=True) if o == "--set"], None
    )
    workers = said.get("--workers")
    assert (again or LauncherSettings()).model_copy(
        update={"workers": None if workers is None else int(workers)}
    ) == settings
