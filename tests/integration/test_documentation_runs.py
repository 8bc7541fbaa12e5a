"""The commands of README.md and the pages for newcomers, typed in their order, with smaller trainings."""

import runpy
from pathlib import Path

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from colgan_search.cli.app import run
from colgan_search.config import load_config
from colgan_search.gates import Gate
from tests.documentation import ROOT, blocks, commands
from tests.integration.cli_helpers import SMALL, write_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("quiet_process")]

SMALLER = {
    "launch --config digits --trials 12": "launch --config small.yaml --trials 3 --workers 1",
    "launch --config digits --trials 40": "launch --config small.yaml --trials 4 --workers 1",
    "launch --config flowers.yaml": "launch --config flowers.yaml --workers 1",
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
    "drain --study cifar10": "test_drain.py",
    "reproduce table1 --scale digits --seeds 5": "test_reproduce.py, smaller",
    "dashboard": "test_dashboard.py: it serves until it is stopped",
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


def test_own_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flowers(folder)
    (text,) = [block.text for block in blocks("docs/how-to/own-images.md") if block.language == "yaml"]
    for old, new in SMALLER_FLOWERS.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "flowers.yaml").write_text(text, encoding="utf-8")
    ran = type_all("docs/how-to/own-images.md", capsys)
    assert len(ran) == 6
    assert list((folder / "first").rglob("*.png"))


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
            "docs/tutorial.md",
            "docs/confirm.md",
            "docs/how-to/own-images.md",
            "docs/how-to/reading-a-result.md",
        )
        for command in commands(page)
    }
    assert {*SMALLER, *NOT_HERE} - there == set()


def test_the_small_study_is_smaller() -> None:
    assert load_config("digits").training.epochs > SMALL["training"]["epochs"]
