"""Real images: known bytes, and Pillow as the reference for resizing."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.datasets import CIFAR10

from colgan_search.config import DataSettings
from colgan_search.downloading import Remote
from colgan_search.errors import ConfigError, DataError
from colgan_search.gan.datasets import cifar10
from colgan_search.gan.datasets.loading import default_download_folder, load_images
from colgan_search.gan.resize import limited, resize, to_channels

RANDOM = np.random.default_rng(5)


def picture(height: int = 20, width: int = 20, channels: int = 3) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


# digits


def test_digits_are_scikit_learns() -> None:
    from sklearn.datasets import load_digits

    real = load_images(DataSettings(name="digits", size=8, channels=1))
    assert real.images.shape == (1797, 1, 8, 8) and real.images.dtype == torch.uint8
    assert real.classes == tuple("0123456789")
    np.testing.assert_array_equal(real.labels.numpy(), load_digits().target)
    np.testing.assert_allclose(real.images[:, 0].numpy(), load_digits().images * 255 / 16, atol=0.5)
    assert (real.images.min().item(), real.images.max().item()) == (0, 255)


def test_digits_of_a_scikit_learn_that_keeps_them_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_images(DataSettings(name="digits", size=8, channels=1)).digest
    monkeypatch.setattr("colgan_search.gan.datasets.digits.find_spec", lambda name: None)
    assert load_images(DataSettings(name="digits", size=8, channels=1)).digest == expected


def test_digits_resized_and_in_colour() -> None:
    real = load_images(DataSettings(name="digits", size=16, channels=3))
    assert real.images.shape == (1797, 3, 16, 16) and real.images.is_contiguous()
    assert torch.equal(real.images[:, 0], real.images[:, 2])
    assert real.digest == load_images(DataSettings(name="digits", size=16, channels=3)).digest


def test_limit_is_a_fixed_shuffle() -> None:
    few, more, everything = (
        load_images(DataSettings(name="digits", size=8, channels=1, limit=n)) for n in (50, 100, None)
    )
    assert torch.equal(few.images, more.images[:50]) and torch.equal(few.labels, more.labels[:50])
    assert not torch.equal(few.images, everything.images[:50])
    assert sorted(limited(1797, 1797).tolist()) == list(range(1797))
    with pytest.raises(ConfigError, match=r"data\.limit: 5000 is not allowed: there are only 1797 images"):
        limited(1797, 5000)
    torch.manual_seed(4)
    assert limited(10, 4).tolist() == limited(10, 4).tolist()


# resizing and channels


@pytest.mark.parametrize(("height", "width", "size"), [(32, 32, 64), (48, 48, 16), (8, 8, 16)])
@pytest.mark.parametrize("channels", [1, 3])
def test_resize_equals_pillow(height: int, width: int, size: int, channels: int) -> None:
    original = picture(height, width, channels)
    tensor = torch.from_numpy(original).reshape(height, width, channels).permute(2, 0, 1)[None]
    pillow = np.asarray(Image.fromarray(original).resize((size, size), Image.Resampling.BILINEAR))
    ours = resize(tensor, size)[0].permute(1, 2, 0).numpy().reshape(pillow.shape)
    assert np.abs(ours.astype(int) - pillow.astype(int)).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(20, 60), (60, 20), (20, 21), (40, 200)])
def test_oblong_images_keep_their_centre(height: int, width: int) -> None:
    original = picture(height, width)
    short = min(height, width)
    scaled = Image.fromarray(original).resize(
        (round(width * 20 / short), round(height * 20 / short)), Image.Resampling.BILINEAR
    )
    left, top = (scaled.width - 20) // 2, (scaled.height - 20) // 2
    expected = np.asarray(scaled.crop((left, top, left + 20, top + 20)))
    ours = resize(torch.from_numpy(original).permute(2, 0, 1)[None], 20)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours.astype(int) - expected.astype(int)).max() <= 1


def test_the_right_size_is_left_alone() -> None:
    images = torch.from_numpy(picture(4, 4)).permute(2, 0, 1)[None]
    assert torch.equal(resize(images, 4), images)
    assert to_channels(images, 3) is images


def test_grey_is_pillows_luma() -> None:
    original = picture(30, 30)
    pillow = np.asarray(Image.fromarray(original).convert("L"))
    ours = to_channels(torch.from_numpy(original).permute(2, 0, 1)[None], 1)[0, 0].numpy()
    assert np.abs(ours.astype(int) - pillow.astype(int)).max() <= 1


# CIFAR-10


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Ten images in CIFAR-10's own file layout below tmp_path, two in each of the five training files."""
    rows = RANDOM.integers(0, 256, (10, 3072), dtype=np.uint8)
    below = tmp_path / CIFAR10.base_folder
    below.mkdir()
    for n in range(5):
        content = {"data": rows[2 * n : 2 * n + 2], "labels": [n, 9 - n]}
        (below / f"data_batch_{n + 1}").write_bytes(pickle.dumps(content))
    (below / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    (below / "test_batch").touch()
    monkeypatch.setattr(CIFAR10, "train_list", [[f"data_batch_{n}", None] for n in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", None]])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": "batches.meta", "key": "label_names", "md5": None})
    return rows


def test_cifar10_from_its_files(tmp_path: Path, cifar: np.ndarray) -> None:
    real = load_images(DataSettings(name="cifar10", root=str(tmp_path), size=32))
    np.testing.assert_array_equal(real.images.numpy(), cifar.reshape(10, 3, 32, 32))
    assert real.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert real.classes == tuple("abcdefghij")
    big = load_images(DataSettings(name="cifar10", size=64, limit=4), download_folder=tmp_path)
    assert big.images.shape == (4, 3, 64, 64)
    assert sorted(p.name for p in tmp_path.iterdir()) == [CIFAR10.base_folder]  # read-only folders work too


def test_cifar10_that_cannot_be_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Remote("http://127.0.0.1:9/cifar-10-python.tar.gz", "0" * 64, 10)
    monkeypatch.setattr(cifar10.Cifar10, "remotes", (here,))
    with pytest.raises(DataError, match=r"could not be downloaded .*by hand: put http://.*python.tar.gz into"):
        load_images(DataSettings(name="cifar10", root=str(tmp_path / "new"), size=32))


def test_the_default_download_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert default_download_folder() == Path("/somewhere/colgan-search")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_download_folder() == Path.home() / ".cache" / "colgan-search"
