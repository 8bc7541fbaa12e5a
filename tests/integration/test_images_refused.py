"""`doctor` refuses exactly the images that `launch` refuses, in the same words, and both say how many they found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colgan_search.cli.app import run
from tests.integration.cli_helpers import write_config

pytestmark = pytest.mark.usefixtures("quiet_process")


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two classes of 20 images; tmp_path is the working folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    for number in range(40):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    return tmp_path / "images"


def config(root: Path, **changes: Any) -> str:
    data = {"name": "imagefolder", "root": str(root), "size": 8, "channels": 3}
    return str(write_config(root.parent, **{"data": data, "training__batch": 4} | changes))


def data_check(capsys: pytest.CaptureFixture[str], path: str, *more: str) -> dict[str, str]:
    """What doctor says of the images."""
    capsys.readouterr()
    code = run(["doctor", "--json", "--config", path, *more])
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [check for check in checks if check["name"] == "data"]
    assert code == (1 if found["level"] == "error" else 0)
    return dict(found)


def cut_short(root: Path) -> None:
    path = root / "a" / "00.jpg"
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("spoil", "changes", "said"),
    [
        (cut_short, {}, "00.jpg: is not a whole image"),
        (lambda root: (root / "b" / "z.png").write_text("some text"), {}, "z.png: is not a whole image"),
        (lambda root: None, {"training__batch": 5000}, "batch: 5000 is not allowed: there are only 40 real images"),
        (lambda root: (root / "b" / "up").symlink_to(root), {}, "up: is a symbolic link"),
        (lambda root: (root / "b").rename(root / "a" / "b"), {}, "the classifier needs at least 2 classes"),
    ],
    ids=["cut short", "text", "batch", "link", "one class"],
)
def test_doctor_refuses_what_launch_refuses(
    images: Path,
    spoil: Callable[[Path], Any],
    changes: dict[str, Any],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(images)
    path = config(images, **changes)
    found = data_check(capsys, path)
    assert found["level"] == "error" and said in found["what"]
    assert run(["launch", "--config", path, "--workers", "1"]) == 2
    assert found["what"] in capsys.readouterr().err
    assert not (images.parent / "colgan_work").exists(), "nothing half-written"


def test_broken_images_are_left_out_and_counted(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut_short(images)
    path = config(images)
    found = data_check(capsys, path, "--skip-broken")
    assert found["level"] == "ok"
    assert found["what"].endswith("39 images of 2 classes, 1 that cannot be used left out")
    # A batch of 40 images is one too many: launch, too, has left one out.
    path = config(images, training__batch=40)
    assert run(["launch", "--config", path, "--skip-broken", "--workers", "1"]) == 2
    assert "there are only 39 real images" in capsys.readouterr().err


def test_launch_says_how_many_images_it_found(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = config(images, evaluation__extractor="inception", evaluation__weights="none.pth")
    assert run(["launch", "--config", path, "--workers", "1"]) == 2
    assert "found 40 images of 2 classes\n" in capsys.readouterr().err


def test_skip_broken_is_of_a_config(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--skip-broken"]) == 2
    assert "--skip-broken changes the data of a --config" in capsys.readouterr().err
