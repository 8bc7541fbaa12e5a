"""The Dockerfile against what it builds from: its paths, extras, requirements, user, and the commands that it names."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement

from tests.integration.test_documentation import parsed

ROOT = Path(__file__).parents[2]
PROJECT = ProjectMetadata(str(ROOT), PluginManager()).core


def instructions() -> list[tuple[str, str]]:
    """Each instruction and its words, as Docker reads them: comments go, a backslash joins lines."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in joined.splitlines() if line.strip()]


def of(kind: str) -> list[str]:
    return [words for name, words in instructions() if name == kind]


def test_it_copies_what_is_there_and_nothing_else_gets_into_the_build() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {word for words in of("COPY") for word in words.split()[:-1]}
    assert copied == kept
    assert all((ROOT / name).exists() for name in copied)


def test_it_runs_as_a_user_of_its_own_in_a_folder_that_is_his() -> None:
    (made,) = [words for words in of("RUN") if words.startswith("useradd")]
    assert "--uid 1000 " in made and " colgan " in made and "chown colgan:colgan /runs" in made
    assert of("USER") == ["1000:1000"] and of("WORKDIR") == of("VOLUME") == ["/runs"]
    order = [name for name, _ in instructions()]
    assert order.index("USER") > max(i for i, name in enumerate(order) if name in ("RUN", "COPY"))
    assert "HOME=/runs" in of("ENV")[0], "else libraries write where they may not"


def test_it_installs_what_pyproject_asks_for() -> None:
    (torch, ours) = [words for words in of("RUN") if words.startswith("pip install")]
    wanted = {Requirement(text).name: Requirement(text) for text in PROJECT.dependencies}
    for text in re.findall(r'"(torch[^"]*)"', torch):
        assert Requirement(text) == wanted[Requirement(text).name]
    (extras,) = re.findall(r"/source\[([a-z0-9,]+)\]", ours)
    assert set(extras.split(",")) <= set(PROJECT.optional_dependencies)
    (version,) = re.findall(r"^python:(3\.\d+)-slim$", of("FROM")[0])
    assert tuple(map(int, version.split("."))) >= (3, 10)


def test_its_commands_are_the_programs() -> None:
    (entry,) = json.loads(of("ENTRYPOINT")[0])
    assert [entry] == list(PROJECT.scripts)
    assert json.loads(of("CMD")[0]) == ["--help"]
    (health,) = of("HEALTHCHECK")
    options, _, command = health.partition(" CMD ")
    assert set(re.findall(r"--([a-z-]+)=\d+[sm]", options)) == {"interval", "timeout", "start-period"}
    program, *words = json.loads(command)
    assert program == entry
    assert parsed(tuple(words)).command.callback is not None, "else it raises what the program would say"


def test_a_signal_reaches_the_program() -> None:
    assert of("STOPSIGNAL") == ["SIGTERM"]
    for kind in ("ENTRYPOINT", "CMD"):
        assert of(kind)[0].startswith("["), "a shell would not pass it on"


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    program = shutil.which("hadolint", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("there is no hadolint on this machine")
    ran = subprocess.run([program, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text(
        (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("USER 1000:1000", "USER root")
    )
    assert "DL3002" in subprocess.run([program, tmp_path / "Dockerfile"], capture_output=True, text=True).stdout


@pytest.mark.parametrize("index", ["", "a place"])
def test_an_index_is_only_named_where_one_is_given(index: str) -> None:
    """As the shell of the build fills it in."""
    (torch,) = [words for words in of("RUN") if "torchvision" in words]
    shown = torch.replace("pip install", "printf '<%s>'", 1)
    said = subprocess.run(["sh", "-c", shown], env={"PYTORCH_INDEX": index}, capture_output=True, text=True).stdout
    assert said.startswith(f"<--index-url><{index}><torch" if index else "<torch")
