"""The paper's figure 5: the same z through every generator, side by side."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from colgan_search.errors import BadInput
from colgan_search.figures.saving import DOTS_PER_INCH, picture_paths, save_figure
from colgan_search.figures.styles import INK, SMALL_SIZE, TEXT_SIZE, TITLE_SIZE

Images = NDArray[np.uint8]
SHAPE = 1.5
"""Wanted width over height of all panels together."""
WIDTH = 9.0
"""Wanted width of all panels together, inches; small images are enlarged by a whole number to come near it."""
BETWEEN, SIDE, ABOVE, BELOW = 0.22, 0.15, 0.32, 0.36
"""White between panels, at the sides, above the panels (for their titles) and below (for the note), inches."""


def draw_samples(
    images: Sequence[Images],
    titles: Sequence[str],
    paths: Path | str | Sequence[Path | str],
    title: str | None = None,
) -> list[Path]:
    """Draws `samples_figure` to each path (.png, .svg or .pdf) and gives the paths."""
    listed = picture_paths(paths)
    return save_figure(samples_figure(images, titles, title), listed)


def samples_figure(images: Sequence[Images], titles: Sequence[str], title: str | None = None) -> Figure:
    """One panel per generator, a grid of its images; the same place in every panel is the same z.

    `images[i]`: uint8 [n, H, W, C] of generator i + 1, C = 1 (grey) or 3 (RGB), made from the same n vectors z in the
    same order; `titles[i]` its title, for example `G1 (IS 4.70)`. Images fill the grid row by row. Every
    pixel is the same whole number of dots wide in the PNG. BadInput if the arrays do not go together.
    """
    _check(images, titles)
    n, height, width, _ = images[0].shape
    columns = grid_columns(n, len(images), width / height)
    panels = [tile(array, columns) for array in images]
    rows_px, columns_px = panels[0].shape[:2]
    enlarged = max(1, round(WIDTH * DOTS_PER_INCH / (columns_px * len(panels))))
    panel = columns_px * enlarged / DOTS_PER_INCH, rows_px * enlarged / DOTS_PER_INCH
    # A title is about 0.085 inches a letter; narrow panels get the room that their titles need.
    pitch = max(panel[0], 0.085 * max(len(text) for text in titles)) + BETWEEN
    above = ABOVE + (0.32 if title else 0.0)
    width_inches = max(pitch * len(panels) - BETWEEN + 2 * SIDE, 4.2)
    size = _whole_dots(width_inches), _whole_dots(panel[1] + above + BELOW)
    figure = Figure(figsize=size)
    left = (size[0] - (pitch * len(panels) - BETWEEN)) / 2 + (pitch - BETWEEN - panel[0]) / 2
    for number, (pixels, text) in enumerate(zip(panels, titles, strict=True)):
        x, y = _whole_dots(left + number * pitch), _whole_dots(BELOW)  # no pixel is cut
        axes = figure.add_axes((x / size[0], y / size[1], panel[0] / size[0], panel[1] / size[1]))
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="none", aspect="auto")
        axes.set_axis_off()
        axes.set_title(text, fontsize=TEXT_SIZE, color=INK, pad=5).set_parse_math(False)
    note = f"{n} latent vector{'s' if n > 1 else ''} z; the same place in every panel is the same z"
    figure.text(0.5, 0.12 / size[1], note, ha="center", va="bottom", fontsize=SMALL_SIZE, color=INK)
    if title:
        y = 1 - 0.1 / size[1]
        figure.text(0.5, y, title, ha="center", va="top", fontsize=TITLE_SIZE, color=INK).set_parse_math(False)
    return figure


def _whole_dots(inches: float) -> float:
    return round(inches * DOTS_PER_INCH) / DOTS_PER_INCH


def grid_columns(n: int, panels: int, image_shape: float = 1.0) -> int:
    """Columns of a panel's grid of n images of width / height `image_shape`.

    All panels together come near SHAPE, without empty cells if that is possible.
    """

    def badness(columns: int) -> float:
        rows = math.ceil(n / columns)
        shape = panels * columns * image_shape / rows
        return abs(math.log(shape / SHAPE)) + (0.75 if rows * columns > n else 0.0) + (rows * columns - n) / n

    return min(range(1, n + 1), key=badness)


def tile(images: Images, columns: int) -> Images:
    """[n, H, W, C] -> one picture [rows, columns] of cells row by row, white lines between them and in empty cells.

    The lines are H / 16 pixels wide, at least 1. Grey images lose their channel axis.
    """
    n, height, width, channels = images.shape
    rows, gap = math.ceil(n / columns), max(1, height // 16)
    picture = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images):
        y, x = index // columns * (height + gap), index % columns * (width + gap)
        picture[y : y + height, x : x + width] = image
    return picture[:, :, 0] if channels == 1 else picture


def _check(images: Sequence[Images], titles: Sequence[str]) -> None:
    if not images or len(images) != len(titles):
        raise BadInput(f"{len(images)} sets of images and {len(titles)} titles; give one of each per generator")
    for number, array in enumerate(images, start=1):
        shape = array.shape
        if array.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3) or 0 in shape:
            raise BadInput(f"images of G{number} are {array.dtype} {list(shape)}; right is uint8 [n, H, W, 1 or 3]")
        if shape != images[0].shape:
            raise BadInput(
                f"images of G{number} are {list(shape)}, those of G1 {list(images[0].shape)}; "
                "all generators make one image of each z"
            )
