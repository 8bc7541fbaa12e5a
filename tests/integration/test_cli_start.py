"""What each command imports before it answers: help and wrong command lines wait for no heavy library."""

import subprocess
import sys
from pathlib import Path

import pytest

from colgan_search.cli.commands import COMMANDS
from tests.integration.cli_helpers import WAIT_SECONDS, environment, fake_study, small_config

HEAVY = {"torch", "torchvision", "optuna", "sqlalchemy", "sklearn", "scipy", "matplotlib", "pandas", "numpy", "PIL"}
READS = HEAVY - {"optuna", "sqlalchemy", "numpy"}
"""Not needed to read a study."""

LISTED = """
import sys
from colgan_search.cli.app import run
code = run(sys.argv[1:])
print("\\n", *sys.modules)
sys.exit(code)
"""


def imported(folder: Path, *arguments: str, code: int = 0) -> set[str]:
    """The packages that a process of the program has imported when the command has ended with `code`."""
    ended = subprocess.run(
        [sys.executable, "-c", LISTED, *arguments],
        cwd=folder,
        env=environment(COLUMNS="80"),
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
    )
    assert ended.returncode == code, ended.stderr
    return {name.partition(".")[0] for name in ended.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--help", 0),
        ("-h", 0),
        ("--version", 0),
        ("lanch", 2),
        ("--foo", 2),
        ("best --help", 0),
        ("launch --workers -1", 2),
    ],
)
def test_the_program_itself_imports_nothing_heavy(line: str, code: int, tmp_path: Path) -> None:
    assert imported(tmp_path, *line.split(), code=code) & HEAVY == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_option_imports_nothing_heavy(name: str, tmp_path: Path) -> None:
    assert imported(tmp_path, name, "--no-such-option", code=2) & HEAVY == set()


@pytest.mark.slow
def test_reading_a_study_imports_no_torch(tmp_path: Path) -> None:
    fake_study(f"sqlite:///{tmp_path / 'study.db'}", small_config(tmp_path), total=2, done=2).storage.close()
    storage = ("--storage", f"sqlite:///{tmp_path / 'study.db'}")
    for line in (("status",), ("status", "--json"), ("trials",), ("trials", "--format", "csv")):
        assert imported(tmp_path, *line, *storage) & READS == set(), line
    drawn = imported(tmp_path, "best", *storage, "--picture", "best.svg")
    assert drawn & (READS - {"matplotlib", "PIL"}) == set()


def test_counting_graphs_imports_no_torch_and_no_database(tmp_path: Path) -> None:
    for line in (("graphs",), ("graphs", "buffer", "--k", "3"), ("graphs", "--k", "2", "--list")):
        assert imported(tmp_path, *line) & (HEAVY - {"numpy"}) == set(), line


@pytest.mark.slow
def test_workers_are_started_before_what_only_they_need_is_imported(tmp_path: Path) -> None:
    """The cores are idle until then. What scores, and scikit-learn for its digits, import for a second each."""
    line = ("launch", "--config", "digits", "--trials", "2", "--workers", "2", "--device", "cpu", "--dry-run")
    found = imported(tmp_path, *line, "--work-dir", str(tmp_path / "work"))
    assert "torch" in found  # it has read the real images
    assert found & {"torch_fidelity", "torchvision", "sklearn", "matplotlib"} == set()
