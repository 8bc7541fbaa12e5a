"""The files of schedulers: against the official schemas, files that a person has read, and hostile values."""

import json
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from colgan_search.config import StudyConfig, parse_config, with_overrides
from colgan_search.errors import BadInput, ConfigError, StorageError
from colgan_search.extensions.launchers import LAUNCHERS, ClusterLauncher, Order
from colgan_search.launchers import ordering
from colgan_search.launchers.kubernetes_settings import object_name
from tests.integration.cli_helpers import config_data

GOLDEN = Path(__file__).parent / "golden"
SKY = json.loads((Path(__file__).parent / "skypilot-schema.json").read_text())
OLDEST, NEWEST = "1.31", "1.37"
PASSWORD = "p@ss:w/rd%1'\"\\$(touch pwned)"

KUBERNETES: dict[str, dict[str, Any]] = {
    "plain": {},
    "many": {"workers": 64},
    "no gpu": {"gpus": 0},
    "two gpus of another maker": {"gpus": 2, "gpu_resource": "amd.com/gpu"},
    "memory": {"memory_gib": 1.5, "cpus": 8},
    "limit": {"minutes": 90, "grace_seconds": 120},
    "nodes": {"node_selector": {"cloud.google.com/gke-accelerator": "nvidia-l4", "spot": "true"}},
    "kueue": {"queue": "gpu-queue", "priority_class": "low"},
    "claim that is there": {"claim": "runs"},
    "claim that is made": {"claim": "runs", "claim_gib": 200, "storage_class": "nfs"},
    "postgres": {"postgres": True},
    "postgres and a dashboard": {"postgres": True, "postgres_gib": 5, "dashboard": True, "namespace": "gans"},
    "dashboard": {"dashboard": True},
    "lines": {"lines": ["nvidia-smi", "echo 'a: \"b\" #c' | cat"]},
    "checkpoints": {"checkpoints": "s3://bucket/check points"},
    "image": {"image": "registry.example:5000/me/colgan-search@sha256:" + "0" * 64, "secret": "db"},
}
SKYPILOT: dict[str, dict[str, Any]] = {
    "plain": {},
    "on demand": {"spot": False, "infra": "aws/us-east-1", "accelerator": "A100-80GB", "gpus": 8, "workers": 3},
    "image": {"image": "docker.io/me/colgan-search:0.2.0", "memory_gib": 32, "checkpoints": "s3://b/c"},
    "cpu": {"gpus": 0, "disk_gib": 50, "lines": ["export A='x y'"], "restarts": 0},
}
SLURM: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "workers": 16,
        "partition": "gpu,gpu-long",
        "account": "lab_7",
        "qos": "low",
        "minutes": 1440,
        "memory_gib": 24,
        "cpus": 4,
        "options": ["--constraint=a100|h100", "--exclusive"],
        "work_dir": "$TMPDIR/colgan",
        "checkpoints": "/shared/check points/$USER",
        "lines": ["module load cuda/12.8"],
    },
}


def made(name: str, settings: Mapping[str, Any], **changes: Any) -> tuple[ClusterLauncher, Any, Order]:
    """A launcher, its settings as a config gives them, and an order as `launch` makes it."""
    launcher = LAUNCHERS.get(name)
    assert isinstance(launcher, ClusterLauncher)
    data = config_data(**changes) | {"cluster": {"kind": name, **settings}}
    config = parse_config(data, "test")
    storage = None if launcher.brings_database(config.cluster) else "postgresql://colgan:secret@db.example:5432/colgan"
    wanted = ordering.order(config, "small", storage, Path("/shared/work"), Path("/shared/out"), 40)
    return launcher, config.cluster, Order(**{**vars(wanted), "python": "/opt/venv/bin/python"})


def texts(name: str, settings: Mapping[str, Any], secret: str | None = None) -> Mapping[str, str]:
    launcher, section, wanted = made(name, settings)
    return launcher.files(section, Order(**{**vars(wanted), "secret": secret}))


@pytest.mark.parametrize(
    ("case", "version"),
    [*((case, NEWEST) for case in KUBERNETES), ("postgres and a dashboard", OLDEST), ("kueue", OLDEST)],
)
def test_kubernetes_files_are_valid(case: str, version: str) -> None:
    settings = KUBERNETES[case]
    found = texts("kubernetes", settings, "/shared/out/password")
    kustomization = yaml.safe_load(found["kustomization.yaml"])
    assert sorted([*kustomization["resources"], "kustomization.yaml"]) == sorted(found)
    objects = [one for name in kustomization["resources"] for one in yaml.safe_load_all(found[name])]
    for one in objects:
        kubernetes_validate.validate(one, version, strict=True)
        assert one["metadata"]["namespace"] == settings.get("namespace", "default")
    assert len({(one["kind"], one["metadata"]["name"]) for one in objects}) == len(objects)


@pytest.mark.parametrize("settings", SKYPILOT.values(), ids=SKYPILOT.keys())
def test_skypilot_tasks_are_valid(settings: Mapping[str, Any]) -> None:
    task = yaml.safe_load(texts("skypilot", settings, "/shared/out/password.env")["worker.yaml"])
    jsonschema.Draft202012Validator(SKY["task"]).validate(task)
    jsonschema.Draft7Validator(SKY["resources"]).validate(task["resources"])
    assert task["secrets"] == {"PGPASSWORD": None}
    assert subprocess.run(["bash", "-n"], input=task["run"], text=True).returncode == 0


def test_a_schema_that_refuses_nothing_would_prove_nothing() -> None:
    job = next(yaml.safe_load_all(texts("kubernetes", {})["workers.yaml"]))
    job["spec"]["podReplacementPolicie"] = "Failed"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, "1.37", strict=True)
    task = yaml.safe_load(texts("skypilot", {})["worker.yaml"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SKY["task"]).validate(task | {"runn": "x"})


@pytest.mark.parametrize("settings", SLURM.values(), ids=SLURM.keys())
def test_slurm_scripts_are_shell(settings: Mapping[str, Any]) -> None:
    script = texts("slurm", settings, "/shared/out/pgpass")["workers.sbatch"]
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    head = script.split("\n\n")[0].splitlines()
    assert head[0] == "#!/bin/bash" and all(line.startswith("#") for line in head), (
        "directives end at the first command"
    )
    assert "#SBATCH --requeue" in head and f"#SBATCH --array=0-{settings.get('workers', 1) - 1}" in head


@pytest.mark.parametrize(
    ("file", "launcher", "settings"),
    [
        ("workers.sbatch", "slurm", SLURM["all"]),
        ("workers.yaml", "kubernetes", {**KUBERNETES["nodes"], **KUBERNETES["kueue"], "workers": 8, "claim": "runs"}),
        ("worker.yaml", "skypilot", SKYPILOT["image"]),
    ],
)
def test_golden_files(file: str, launcher: str, settings: Mapping[str, Any]) -> None:
    found = texts(launcher, settings, "/shared/out/secret")[file]
    golden = GOLDEN / f"{launcher}-{file}"
    if os.environ.get("COLGAN_NEW_GOLDEN"):
        golden.write_text(found)
    assert found == golden.read_text(), "read the difference, and then write it anew: COLGAN_NEW_GOLDEN=1"


@pytest.mark.parametrize(
    ("launcher", "key", "value"),
    [
        ("slurm", "partition", "gpu; rm -rf ~"),
        ("slurm", "partition", "gpu\n#SBATCH --wrap=x"),
        ("slurm", "account", "$(id)"),
        ("slurm", "options", ["--constraint=a b"]),
        ("slurm", "options", ["-x"]),
        ("slurm", "options", ["--comment=`id`"]),
        ("slurm", "work_dir", "$(id)"),
        ("slurm", "work_dir", '/a"; id; "'),
        ("slurm", "work_dir", "relative"),
        ("slurm", "lines", ["one\ntwo"]),
        ("slurm", "checkpoints", '/a"; id; "'),
        ("slurm", "checkpoints", "/a$(id)"),
        ("slurm", "checkpoints", "/a`id`"),
        ("slurm", "workers", -1),
        ("slurm", "minutes", 0),
        ("kubernetes", "image", "a b"),
        ("kubernetes", "namespace", "Not_A_Name"),
        ("kubernetes", "node_selector", {"a b": "c"}),
        ("kubernetes", "grace_seconds", 30),
        ("kubernetes", "claim_gib", 5),
        ("skypilot", "infra", "aws/us east"),
        ("skypilot", "accelerator", "A100 80GB"),
    ],
)
def test_hostile_and_senseless_settings_are_refused(launcher: str, key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=r"cluster"):
        parse_config(config_data() | {"cluster": {"kind": launcher, key: value}}, "test")


def test_study_paths_and_texts_are_quoted(tmp_path: Path) -> None:
    launcher, section, wanted = made("slurm", {}, data={"name": "digits", "size": 8, "channels": 1})
    hostile = f"/images/$(touch {tmp_path}/pwned) '\"; touch {tmp_path}/pwned; #"
    wanted = Order(**{**vars(wanted), "own_files": {"--data-root": hostile}, "python": "echo", "work": str(tmp_path)})
    script = launcher.files(section, wanted)["workers.sbatch"]
    done = subprocess.run(
        ["bash"], input=script, text=True, capture_output=True, env={"SLURM_JOB_ID": "7", **os.environ}
    )
    assert f"--data-root={hostile}" in done.stdout, done.stderr
    assert not (tmp_path / "pwned").exists()
    with pytest.raises(ConfigError, match="sbatch reads no such path"):
        launcher.files(section, Order(**{**vars(wanted), "out": "/out with spaces"}))


@pytest.mark.parametrize("launcher", ["slurm", "kubernetes", "skypilot"])
def test_a_password_is_in_a_file_of_its_own_and_in_no_other(launcher: str, tmp_path: Path) -> None:
    from urllib.parse import quote

    member, section, _ = made(launcher, {})
    url = f"postgresql://colgan:{quote(PASSWORD, safe='')}@db.example:5432/colgan"
    config = parse_config(config_data() | {"cluster": {"kind": launcher}}, "test")
    wanted = ordering.order(config, "small", url, tmp_path, tmp_path / "out", 40)
    for _ in range(2):  # the second time over what is there
        written = ordering.write(member, section, wanted, url)
    secret, *others = written
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    for file in others:
        text = file.read_text()
        assert PASSWORD not in text and quote(PASSWORD, safe="") not in text and "***" not in text
    assert any("postgresql://colgan@db.example:5432/colgan" in file.read_text() for file in others)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o700
    if launcher == "kubernetes":
        assert secret.read_text() == PASSWORD


def test_libpq_reads_the_password_file(postgres: Any, tmp_path: Path) -> None:
    import psycopg2

    from tests.postgres import PASSWORD as SERVERS

    (tmp_path / "pgpass").write_text(ordering.pgpass(SERVERS))
    (tmp_path / "pgpass").chmod(0o600)
    address = f"host=127.0.0.1 port={postgres.port} user=colgan dbname=postgres passfile={tmp_path / 'pgpass'}"
    psycopg2.connect(address).close()
    (tmp_path / "pgpass").write_text(ordering.pgpass("another"))
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(address)
    assert ordering.pgpass("a:b\\c") == "*:*:*:*:a\\:b\\\\c\n", "as libpq's manual has it"


def test_random_passwords_are_kept(tmp_path: Path) -> None:
    launcher, section, wanted = made("kubernetes", {"postgres": True, "dashboard": True})
    wanted = Order(**{**vars(wanted), "out": str(tmp_path)})
    ordering.write(launcher, section, wanted, None)
    passwords = {name: (tmp_path / name).read_text() for name in ("password", "dashboard-password")}
    assert min(map(len, passwords.values())) >= 32 and len(set(passwords.values())) == 2
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in passwords} == {0o600}
    ordering.write(launcher, section, wanted, None)
    assert passwords == {name: (tmp_path / name).read_text() for name in passwords}


def test_sqlite_is_refused(tmp_path: Path) -> None:
    config = parse_config(config_data() | {"cluster": {"kind": "slurm"}}, "test")
    with pytest.raises(StorageError, match="SQLite serves one machine"):
        ordering.order(config, "small", f"sqlite:///{tmp_path / 's.db'}", tmp_path, tmp_path, 4)


def test_names_of_studies_become_names_of_objects() -> None:
    names = [object_name(name) for name in ("digits", "Digits", "a.b", "a_b", "x" * 100, "-a-")]
    assert names[0] == "colgan-digits" and len(set(names)) == len(names)
    launcher, section, wanted = made("kubernetes", {})
    for name in ("Digits", "x" * 100, "a..b_c-"):
        job = yaml.safe_load(launcher.files(section, Order(**{**vars(wanted), "study": name}))["workers.yaml"])
        kubernetes_validate.validate(job, "1.37", strict=True)
        assert len(job["metadata"]["name"]) <= 63


def test_the_section_is_no_part_of_the_fingerprint_and_not_kept_in_a_database(tmp_path: Path) -> None:
    from colgan_search.config import fingerprint
    from tests.fleet import make_study

    plain: StudyConfig = parse_config(config_data(), "test")
    config = with_overrides(plain, {"cluster": {"kind": "slurm", "lines": ["module load cuda"]}})
    assert fingerprint(config) == fingerprint(plain)
    study = make_study(f"sqlite:///{tmp_path / 's.db'}", 1, config)
    assert study.config.cluster == config.cluster
    assert "module load" not in json.dumps(study.load().user_attrs)
    study.storage.close()


def test_a_scheduler_that_is_not_here_says_how_to_hand_it_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    for name, word in (("slurm", "sbatch"), ("kubernetes", "kubectl apply -k"), ("skypilot", "sky jobs launch")):
        launcher, section, _ = made(name, {})
        with pytest.raises(BadInput, match=word):
            launcher.hand_in(section, "small", tmp_path, {})


def test_the_section_in_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "clusters.md").read_text(encoding="utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    script = texts("slurm", yaml.safe_load(text)["cluster"])["workers.sbatch"]
    assert script.count("module load cuda/12.8") == 1
