"""The commands of README.md and the pages for newcomers, typed in their order, with smaller trainings."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from sklearn.datasets import load_digits

from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.gates import Gate
from tests.documentation import ROOT, blocks, commands
from tests.integration.cli_helpers import SMALL, run_cli, write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("quiet_process")]

SMALLER = {
    "launch --config digits --trials 12": "launch --config small.yaml --trials 3 --workers 1",
    "launch --config digits --trials 40": "launch --config small.yaml --trials 4 --workers 1",
    "launch --config flowers.yaml": "launch --config flowers.yaml --workers 1",
    "launch --config flowers-plain.yaml": "launch --config flowers-plain.yaml --workers 1",
    "confirm --study flowers-plain --data-root flowers": "confirm --study flowers-plain --data-root flowers --top 1 "
    "--seeds 2 --workers 1",
    "train --graph mad-gan --seeds 2": "train --config small.yaml --graph mad-gan --seeds 2",
    "confirm": "confirm --top 1 --seeds 2 --workers 1",
    "confirm --top 3 --seeds 10": "confirm --top 1 --seeds 2 --workers 1",
    "confirm --study digits --top 5 --seeds 10": "confirm --top 1 --seeds 2 --workers 1",
    "rehearse": "rehearse --functions maximum --strategies random --seeds 1 --trials 20",
}
"""What a page says, and what is typed here: the same commands on a study whose trials take a second."""
NOT_HERE = {
    "launch --trials 1500": "weeks on GPUs",
    "launch --config cifar10 --trials 1500": "weeks on GPUs",
    "worker --study cifar10": "test_attach.py, on PostgreSQL",
    "launch --config cifar10 --trials 1500 --on slurm --workers 16 --partition gpu --minutes 1440": "tests/cluster",
    "reproduce table1 --scale digits --seeds 5": "test_reproduce.py, smaller",
    "dashboard": "test_dashboard.py: it serves until it is stopped",
    "confirm --study flowers --data-root flowers": "test_own_network, the same",
    "worker --study flowers --data-root flowers": "test_own_files.py: a worker of another machine",
}
SMALLER_FLOWERS = {
    "width: 32": "width: 4",
    "epochs: 20": "epochs: 1",
    "images: 5000": "images: 64",
    "trials: 40": "trials: 2",
}


def type_all(page: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Runs every command line of a page that is not in NOT_HERE; the lines that ran."""
    ran = []
    for command in commands(page):
        text = str(command)
        if text in NOT_HERE:
            continue
        words = SMALLER.get(text, text).split()
        capsys.readouterr()
        code = run(words)
        said = capsys.readouterr()
        assert code == 0, f"{words}\n{said.err}"
        if command.output:
            Path(command.output).write_text(said.out, encoding="utf-8")
        ran.append(text)
    return ran


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return tmp_path


def test_readme(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, name="digits", search__trials=3)
    ran = type_all("README.md", capsys)
    assert len(ran) == 7
    assert Image.open(folder / "grid.png").size > (32, 32)
    assert (folder / "colgan_work" / "digits" / "report.html").is_file()
    assert (folder / "winner").is_dir()


def test_the_tour(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, name="digits", search__trials=3)
    ran = type_all("docs/tour.md", capsys)
    assert len(ran) > 12
    assert len((folder / "trials.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert Image.open(folder / "grid.png").size > (32, 32)
    assert "<svg" in (folder / "buffer.svg").read_text(encoding="utf-8")
    assert (folder / "winner").is_dir()


@pytest.mark.parametrize(
    "page", ["docs/tutorial.md", "docs/how-to/reading-a-result.md", "docs/confirm.md", "docs/symmetry.md"]
)
def test_page_on_a_finished_study(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_config(folder, name="digits", search__trials=3)
    assert run(["launch", "--config", "small.yaml", "--workers", "1"]) == 0
    assert type_all(page, capsys)


def flowers(folder: Path) -> None:
    """Coloured pictures of three classes in a folder."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        if label < 3:
            where = folder / "flowers" / f"class{label}"
            where.mkdir(parents=True, exist_ok=True)
            grey = torch.from_numpy(image * 15).byte().numpy()
            Image.fromarray(grey).convert("RGB").resize((40, 40)).save(where / f"{number}.png")


def small_flowers() -> str:
    """The config of the page, with trainings that take a second."""
    (text,) = [block.text for block in blocks("docs/how-to/own-images.md") if block.language == "yaml"]
    for old, new in SMALLER_FLOWERS.items():
        assert old in text
        text = text.replace(old, new)
    return text


def test_own_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flowers(folder)
    (folder / "flowers.yaml").write_text(small_flowers(), encoding="utf-8")
    ran = type_all("docs/how-to/own-images.md", capsys)
    assert len(ran) == 7
    assert list((folder / "first").rglob("*.png"))
    assert (folder / "flowers.html").stat().st_size > 100_000


def test_own_network(folder: Path) -> None:
    """In processes of their own: what is installed is known to all that start afterwards."""
    page = "docs/how-to/own-network.md"
    flowers(folder)
    tree, toml, python, changed = [block.text for block in blocks(page)[:4]]
    assert "my_gan/network.py" in tree
    package = folder / "my_gan" / "my_gan"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "network.py").write_text(python, encoding="utf-8")
    (package.parent / "pyproject.toml").write_text(toml, encoding="utf-8")
    config = yaml.safe_load(small_flowers()) | yaml.safe_load(changed)
    config["network"] |= {"width": 4}
    (folder / "flowers-plain.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", "site", "./my_gan"]
    subprocess.run([sys.executable, *install], check=True)
    paths = os.pathsep.join([str(ROOT), str(folder / "site")])
    for command in commands(page):
        words = SMALLER.get(str(command), str(command)).split()
        ended = run_cli(*words, cwd=folder, PYTHONPATH=paths)
        assert ended.returncode == 0, f"{words}\n{ended.stderr}"
    assert "plain" in (folder / "flowers-plain.html").read_text(encoding="utf-8")
    assert (folder / "first" / "seed-0" / "film.gif").is_file()


def test_the_config_that_is_shown_is_valid(folder: Path) -> None:
    (text,) = [block.text for block in blocks("docs/how-to/own-images.md") if block.language == "yaml"]
    (folder / "flowers.yaml").write_text(text, encoding="utf-8")
    config = load_config(folder / "flowers.yaml")
    assert config.data.name == "imagefolder" and config.k == 3


def test_the_gate_that_is_shown(folder: Path) -> None:
    (text,) = [block.text for block in blocks("docs/how-to/own-parts.md") if block.language == "python"]
    (folder / "gates.py").write_text(text, encoding="utf-8")
    late = runpy.run_path(str(folder / "gates.py"))["LATE"]
    assert isinstance(late, Gate) and late.ramps
    assert [late.weight(progress) for progress in (0.0, 0.49, 0.5, 1.0)] == [0.0, 0.0, 1.0, 1.0]
    (line,) = [block.text for block in blocks("docs/how-to/own-parts.md") if block.language == "toml"]
    assert '"colgan_search.gates"' in line and ":LATE" in line


def test_every_line_that_is_made_smaller_or_left_out_is_still_there() -> None:
    there = {
        str(command)
        for page in (
            "README.md",
            "docs/tour.md",
            "docs/reproduction.md",
            "docs/tutorial.md",
            "docs/confirm.md",
            "docs/how-to/own-images.md",
            "docs/how-to/own-network.md",
            "docs/how-to/reading-a-result.md",
        )
        for command in commands(page)
    }
    assert {*SMALLER, *NOT_HERE} - there == set()


def test_the_small_study_is_smaller() -> None:
    assert load_config("digits").training.epochs > SMALL["training"]["epochs"]
