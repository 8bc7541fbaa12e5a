"""Figure 5: every image in its place, the same place in every panel, every pixel of one size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colgan_search.errors import BadInput
from colgan_search.figures.samples import draw_samples, grid_columns, samples_figure, tile


def images(n: int, side: int, channels: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(("channels", "side"), [(1, 16), (3, 32)])
def test_every_image_stands_in_its_cell(channels: int, side: int) -> None:
    made = images(7, side, channels, 0)
    picture = tile(made, columns=3)
    gap = side // 16
    pitch = side + gap
    assert picture.shape[:2] == (3 * pitch - gap, 3 * pitch - gap)
    for index in range(7):
        y, x = (index // 3) * pitch, (index % 3) * pitch
        cell = picture[y : y + side, x : x + side]
        np.testing.assert_array_equal(cell.reshape(side, side, channels), made[index])
    assert (picture[2 * pitch :, pitch:] == 255).all(), "empty cells are white"
    assert (picture[side:pitch] == 255).all() and (picture[:, side:pitch] == 255).all(), "so are the lines between"


def test_panels_show_their_generator_with_one_grid() -> None:
    made = [images(128, 16, 1, seed) for seed in range(3)]
    figure = samples_figure(made, ["G1 (IS 5.37)", "G2 (IS 4.70)", "G3 (IS 1.33)"], "best graph")
    assert [axes.get_title() for axes in figure.axes] == ["G1 (IS 5.37)", "G2 (IS 4.70)", "G3 (IS 1.33)"]
    for axes, array in zip(figure.axes, made, strict=True):
        shown = np.asarray(axes.images[0].get_array())
        for index in (0, 1, 8, 127):  # 8 columns: 24 x 16 cells in all
            y, x = index // 8 * 17, index % 8 * 17
            np.testing.assert_array_equal(shown[y : y + 16, x : x + 16], array[index, :, :, 0])


@pytest.mark.parametrize(("panels", "columns"), [(1, 16), (2, 8), (3, 8), (5, 8)])
def test_128_images_fill_their_grid(panels: int, columns: int) -> None:
    assert grid_columns(128, panels) == columns


@pytest.mark.parametrize("count", [1, 2, 3])
def test_png_has_every_pixel_of_every_image_at_one_size(count: int, tmp_path: Path) -> None:
    made = [images(12, 16, 3, seed) for seed in range(count)]
    (path,) = draw_samples(made, [f"G{i + 1}" for i in range(count)], tmp_path / "samples.png", "title")
    picture = np.asarray(Image.open(path).convert("RGB"))
    figure = samples_figure(made, [f"G{i + 1}" for i in range(count)], "title")
    for axes, array in zip(figure.axes, made, strict=True):
        box = axes.get_position()
        height, width = picture.shape[:2]
        left, top = round(box.x0 * width), round((1 - box.y1) * height)
        shown = np.asarray(axes.images[0].get_array())
        factor = round(box.width * width / shown.shape[1])
        assert factor >= 1
        panel = picture[top : top + shown.shape[0] * factor, left : left + shown.shape[1] * factor]
        np.testing.assert_array_equal(panel, shown.repeat(factor, 0).repeat(factor, 1))
        np.testing.assert_array_equal(shown[:16, :16], array[0])


def test_svg_has_the_titles(tmp_path: Path) -> None:
    (path,) = draw_samples([images(4, 8, 1, 0)] * 2, ["G1 (IS 5.37)", "G2 ($)"], tmp_path / "samples.svg")
    text = path.read_text()
    assert "G1 (IS 5.37)" in text and "G2 ($)" in text and "4 latent vectors z" in text


@pytest.mark.parametrize(
    ("made", "titles", "says"),
    [
        ([], [], "0 sets of images"),
        ([images(4, 8, 1, 0)], ["G1", "G2"], "1 sets of images and 2 titles"),
        ([images(4, 8, 1, 0), images(5, 8, 1, 0)], ["G1", "G2"], r"G2 are \[5, 8, 8, 1\]"),
        ([images(4, 8, 1, 0).astype(np.float32)], ["G1"], "G1 are float32"),
        ([images(4, 8, 2, 0)], ["G1"], "1 or 3"),
        ([images(4, 8, 1, 0)[:, :, :, 0]], ["G1"], r"\[4, 8, 8\]"),
        ([images(0, 8, 1, 0)], ["G1"], r"\[0, 8, 8, 1\]"),
    ],
)
def test_arrays_that_do_not_go_together(
    made: list[NDArray[np.uint8]], titles: list[str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=says):
        draw_samples(made, titles, tmp_path / "samples.png")
    assert not list(tmp_path.iterdir())
