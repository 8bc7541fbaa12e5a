"""The user's own images: known bytes, what Pillow and EXIF say of them, and every way a folder can be wrong."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colgan_search.config import DataSettings, load_config
from colgan_search.errors import DataError
from colgan_search.experiment import load_real
from colgan_search.gan.datasets.loading import load_images
from colgan_search.gan.imagefolder import read_any_folder
from colgan_search.gan.resize import limited
from colgan_search.images import RealImages
from tests.integration.cli_helpers import write_config
from tests.unit.test_datasets import picture


def folder(root: Path, **settings: object) -> RealImages:
    return load_images(DataSettings.model_validate({"name": "imagefolder", "root": str(root), "size": 20} | settings))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, cats with two images and dogs with one in a folder below."""
    for name in ("cats/b.png", "cats/a.png", "dogs/deep/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture()).save(path)
    (tmp_path / "README.txt").write_text("not a class")
    (tmp_path / "cats" / "notes.txt").write_text("not an image")
    return tmp_path


def test_an_image_folder(root: Path) -> None:
    real = folder(root)
    assert (real.name, real.classes, real.labels.tolist()) == ("imagefolder", ("cats", "dogs"), [0, 0, 1])
    for image, name in zip(real.images, ("cats/a.png", "cats/b.png", "dogs/deep/c.png"), strict=True):
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), np.asarray(Image.open(root / name)))


def test_a_limited_image_folder_reads_only_its_share(root: Path) -> None:
    chosen = limited(3, 2).tolist()
    full = folder(root)
    left_out = ["cats/a.png", "cats/b.png", "dogs/deep/c.png"][({0, 1, 2} - set(chosen)).pop()]
    (root / left_out).write_bytes(b"never read")
    few = folder(root, limit=2)
    assert torch.equal(few.images, full.images[chosen])
    assert torch.equal(few.labels, full.labels[chosen])


def test_every_kind_of_image(root: Path) -> None:
    grey = picture(20, 20, 1)
    Image.fromarray(grey).save(root / "cats" / "d-grey.png")
    Image.fromarray(grey.astype(np.uint16) * 256 + 77).save(root / "cats" / "e-16-bit.png")
    Image.fromarray(picture(20, 20, 4)).save(root / "cats" / "f-alpha.png")
    Image.fromarray(picture()).quantize(16).save(root / "cats" / "g-palette.png")
    Image.fromarray(picture()).save(root / "cats" / "h.JPG")
    Image.fromarray(picture(20, 20, 4), "CMYK").save(root / "cats" / "i-cmyk.jpeg")
    colour, single = folder(root), folder(root, channels=1)
    assert colour.images.shape == (9, 3, 20, 20) and single.images.shape == (9, 1, 20, 20)
    for index in (2, 3):
        np.testing.assert_array_equal(colour.images[index].numpy(), np.broadcast_to(grey, (3, 20, 20)))
        np.testing.assert_array_equal(single.images[index, 0].numpy(), grey)


def _remove_images(root: Path) -> None:
    for path in root.rglob("*.png"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "cats/a.png").write_bytes(b"no image"), r"cats/a\.png: is not a whole image"),
        (lambda root: (root / "cats/a.png").write_bytes(b""), r"cats/a\.png: is not a whole image"),
        (
            lambda root: (root / "cats/b.png").write_bytes((root / "cats/b.png").read_bytes()[:700]),
            r"cats/b\.png: is not a whole image .*repair or remove",
        ),
        (lambda root: (root / "birds").mkdir(), r"birds: holds no images; .*\.jpg, .*\.png"),
        (_remove_images, r"cats: holds no images"),
    ],
    ids=["broken", "empty file", "cut short", "empty class", "no images"],
)
def test_a_spoilt_folder(root: Path, spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    spoil(root)
    with pytest.raises(DataError, match=message):
        folder(root)


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: there is no such folder"):
        folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="holds no class folders and no images"):
        folder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="file: is a file, not a folder"):
        folder(tmp_path / "file")


# links


def test_a_link_in_a_circle_is_refused_and_skipped(root: Path) -> None:
    before = folder(root)
    (root / "cats" / "again").symlink_to(root, target_is_directory=True)
    with pytest.raises(DataError, match=r"cats/again: is a symbolic link to a folder, .* not followed.*`skip_broken`"):
        folder(root)
    real = folder(root, skip_broken=True)
    assert torch.equal(real.images, before.images) and torch.equal(real.labels, before.labels)
    assert real.left_out == 1


def test_two_links_that_hold_each_other_come_to_an_end(root: Path) -> None:
    for here, there in (("cats", "dogs"), ("dogs", "cats")):
        (root / here / "other").symlink_to(root / there, target_is_directory=True)
        (root / here / "self").symlink_to("self")
    real = folder(root, skip_broken=True)
    assert (len(real.images), real.left_out) == (3, 4)


@pytest.mark.parametrize("place", ["cats/below.png", "cats/below", "birds"])
def test_links_to_folders_elsewhere_are_refused(
    root: Path, tmp_path_factory: pytest.TempPathFactory, place: str
) -> None:
    outside = tmp_path_factory.mktemp("private")
    Image.fromarray(picture()).save(outside / "secret.png")
    (root / place).symlink_to(outside, target_is_directory=True)
    with pytest.raises(DataError, match=rf"{place}: is a symbolic link"):
        folder(root)
    real = folder(root, skip_broken=True)
    assert (len(real.images), real.classes, real.left_out) == (3, ("cats", "dogs"), 1)


def test_links_to_single_images_are_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A class put together out of a larger set without copying it, as many do."""
    elsewhere = tmp_path_factory.mktemp("larger set")
    linked = elsewhere / "linked"
    for path in [path for path in root.rglob("*") if path.is_file()]:
        link = linked / path.relative_to(root)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    copied, found = folder(root), folder(linked)
    assert (found.digest, found.classes, found.left_out) == (copied.digest, ("cats", "dogs"), 0)
    assert torch.equal(found.labels, copied.labels)
    flat = elsewhere / "flat"
    flat.mkdir()
    (flat / "a.png").symlink_to(root / "cats" / "a.png")
    assert (len(folder(flat).images), folder(flat).classes) == (1, ())


@pytest.mark.parametrize(
    ("target", "said"),
    [("nowhere.png", "leads to no file"), ("x.png", "leads to no file"), ("pipe", "is not a file")],
    ids=["nothing", "itself", "pipe"],
)
def test_links_to_no_image_are_refused(root: Path, target: str, said: str) -> None:
    os.mkfifo(root / "pipe")
    (root / "cats" / "x.png").symlink_to("x.png" if target == "x.png" else root / target)
    with pytest.raises(DataError, match=rf"cats/x\.png: .*{said}"):
        folder(root)
    assert (len(folder(root, skip_broken=True).images), folder(root, skip_broken=True).left_out) == (3, 1)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    link = tmp_path_factory.mktemp("links") / "flowers"
    link.symlink_to(root, target_is_directory=True)
    assert folder(link).digest == folder(root).digest


def test_a_pipe_is_no_image(root: Path) -> None:
    os.mkfifo(root / "cats" / "pipe.png")
    with pytest.raises(DataError, match=r"cats/pipe\.png: is not a file"):
        folder(root)


# what is seen


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(root: Path, orientation: int) -> None:
    upright = np.zeros((20, 20, 3), np.uint8)
    upright[:10, :10], upright[:10, 10:], upright[10:, :10] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    # How a camera stores what shall be seen: the inverse of what the EXIF standard's number asks the viewer to do.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(root / "cats" / "a.png", exif=exif)
    np.testing.assert_array_equal(folder(root).images[0].permute(1, 2, 0).numpy(), upright)


def _transparent(mode: str) -> Image.Image:
    """20 x 20: the left half red (grey 90) and seen, the right half of a hidden colour."""
    left, hidden = ((255, 0, 0), (0, 255, 0)) if mode in ("RGBA", "RGB", "P") else ((90,), (200,))
    colours = np.zeros((20, 20, len(left)), np.uint8)
    colours[:, :10], colours[:, 10:] = left, hidden
    alpha = np.zeros((20, 20, 1), np.uint8)
    alpha[:, :10] = 255
    if mode in ("RGBA", "LA"):
        return Image.fromarray(np.concatenate([colours, alpha], 2))
    image = Image.fromarray(colours.squeeze())
    image.info["transparency"] = hidden if mode == "RGB" else hidden[0]
    if mode == "P":
        image = Image.fromarray((alpha[..., 0] == 0).astype(np.uint8))
        image.putpalette([*left, *hidden])
        image.info["transparency"] = 1
    return image


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P"])
def test_transparent_pixels_are_white_whatever_lies_below(root: Path, mode: str) -> None:
    image = _transparent(mode)
    image.save(root / "cats" / "a.png", **{k: v for k, v in image.info.items() if k == "transparency"})
    seen = folder(root).images[0]
    assert (seen[:, :, 10:] == 255).all()
    assert seen[:, 0, 0].tolist() == ([90, 90, 90] if mode in ("LA", "L") else [255, 0, 0])
    grey = folder(root, channels=1).images[0]
    assert (grey[:, :, 10:] == 255).all() and grey[0, 0, 0] == (90 if mode in ("LA", "L") else 76)


def test_half_transparent_black_is_grey(root: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 51)).save(root / "cats" / "a.png")
    assert (folder(root).images[0] == 204).all()  # 255 * (1 - 51 / 255)


# what cannot be used


def test_all_broken_images_are_told_at_once(root: Path) -> None:
    for number in range(25):
        (root / "cats" / f"x{number:02}.png").write_bytes(b"no image")
    (root / "dogs" / "link.png").symlink_to("nowhere.png")
    with pytest.raises(DataError) as told:
        folder(root)
    lines = str(told.value).splitlines()
    assert "26 of its images cannot be used; repair or remove them, or leave them out with `skip_broken`" in lines[0]
    assert [line.split(":")[0].strip() for line in lines[1:21]] == [f"cats/x{number:02}.png" for number in range(20)]
    assert lines[21:] == ["  and 6 more"]
    with pytest.raises(DataError, match="26 of its images cannot be used"):
        read_any_folder(root, 20, 3)


def test_broken_images_are_left_out_if_asked(root: Path) -> None:
    before = folder(root)
    (root / "cats" / "aa.png").write_bytes(b"no image")
    (root / "dogs" / "z.png").write_bytes((root / "cats" / "a.png").read_bytes()[:500])
    real = folder(root, skip_broken=True)
    assert (real.digest, real.left_out) == (before.digest, 2)
    assert real.counted == "3 images of 2 classes, 2 that cannot be used left out"
    assert before.counted == "3 images of 2 classes"


@pytest.mark.parametrize(("broken", "message"), [(["dogs/deep/c.png"], "dogs: none of its images"), (None, "none of")])
def test_no_class_is_left_without_images(root: Path, broken: list[str] | None, message: str) -> None:
    for path in root.rglob("*.png") if broken is None else [root / name for name in broken]:
        path.write_bytes(b"no image")
    with pytest.raises(DataError, match=message):
        folder(root, skip_broken=True)


def test_a_closed_folder_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def closed(path: str) -> object:  # root reads any folder, so permissions alone would not do
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(DataError, match="deep: cannot be read: Permission denied"):
        folder(root)


# without classes


def _config(root: Path, tmp_path: Path, extractor: str) -> RealImages:
    data = {"name": "imagefolder", "root": str(root), "size": 8, "channels": 3}
    path = write_config(tmp_path, data=data, training__batch=2, evaluation__extractor=extractor)
    return load_real(load_config(str(path)))


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """Three images and no class folders."""
    root = tmp_path / "flat"
    root.mkdir()
    for name in "cab":
        Image.fromarray(picture()).save(root / f"{name}.png")
    (root / "README.txt").write_text("no image")
    return root


def test_a_flat_folder_will_do_for_inception(flat: Path, tmp_path: Path) -> None:
    real = _config(flat, tmp_path, "inception")
    assert (len(real.images), real.classes, real.labels.tolist()) == (3, (), [0, 0, 0])
    assert real.counted == "3 images without classes"
    np.testing.assert_array_equal(folder(flat).images[0].permute(1, 2, 0), np.asarray(Image.open(flat / "a.png")))


def test_a_classifier_needs_classes(flat: Path, tmp_path: Path) -> None:
    wanted = f"{re.escape(str(flat))}: the classifier needs at least 2 classes, here are 3 images without classes; .*"
    with pytest.raises(DataError, match=wanted + "extractor: inception"):
        _config(flat, tmp_path, "classifier")
    (flat / "only").mkdir()
    (flat / "a.png").rename(flat / "only" / "a.png")
    (flat / "b.png").rename(flat / "only" / "b.png")
    with pytest.raises(DataError, match="here are 2 images of 1 class"):
        _config(flat, tmp_path, "classifier")
    assert _config(flat, tmp_path, "inception").classes == ("only",)
