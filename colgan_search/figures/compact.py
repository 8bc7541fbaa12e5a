"""Small pictures for the dashboard: a few kilobytes each, so that a thousand trials have room for theirs."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from colgan_search.figures.samples import tile

Images = NDArray[np.uint8]

DOTS, COLOURS = 72, 48
"""Dots per inch and colours of a drawing."""
PANEL = 256
"""Wanted width of one generator's images, pixels: small images are enlarged by a whole number."""
QUALITY = 85
LABEL, BETWEEN = 20, 10
"""Height of a panel's label, and white between panels, pixels."""
STRIP_CELL, MARGIN, GAP = 48, 70, 2
"""Wanted width of an image in a strip, width of its labels, and white between its rows, pixels."""
FRAME_MILLISECONDS = 500


def drawing(figure: Figure) -> bytes:
    """A figure of lines and words as a PNG of few colours."""
    figure.set_dpi(DOTS)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba()))  # type: ignore[no-untyped-call]
    few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small = io.BytesIO()
    few.save(small, format="PNG", optimize=True)
    return small.getvalue()


def sample_grid(images: Sequence[Images], labels: Sequence[str]) -> tuple[str, bytes]:
    """One labelled panel per generator: `images[i]` uint8 [n, H, W, 1 or 3], all of the same z in the same places.

    The kind of file (see `smaller`) and its content.
    """
    n = len(images[0])
    columns = int(np.ceil(np.sqrt(n)))
    panels = [_enlarged(tile(array, columns)) for array in images]
    height, width = panels[0].shape[:2]
    grey = images[0].shape[3] == 1
    whole = Image.new(
        "L" if grey else "RGB", (len(panels) * (width + BETWEEN) + BETWEEN, height + LABEL + BETWEEN), "white"
    )
    pen = ImageDraw.Draw(whole)
    for at, (panel, label) in enumerate(zip(panels, labels, strict=True)):
        left = BETWEEN + at * (width + BETWEEN)
        pen.text((left, 3), label, fill="black", font=ImageFont.load_default(12))
        whole.paste(Image.fromarray(panel), (left, LABEL))
    return smaller(whole)


def strip(frames: Sequence[tuple[int, Sequence[Images]]]) -> Image.Image:
    """A row per moment (epoch, and per generator uint8 [n, H, W, 1 or 3]): the same z over the epochs."""
    rows = [(f"epoch {epoch}", [tile(array, len(array)) for array in images]) for epoch, images in frames]
    height, width = rows[0][1][0].shape[:2]
    times = max(1, round(STRIP_CELL * len(frames[0][1][0]) / width))
    grey = frames[0][1][0].shape[3] == 1
    size = (MARGIN + len(rows[0][1]) * (width * times + BETWEEN), LABEL + len(rows) * (height * times + GAP))
    whole = Image.new("L" if grey else "RGB", size, "white")
    pen = ImageDraw.Draw(whole)
    for column in range(len(rows[0][1])):
        left = MARGIN + column * (width * times + BETWEEN)
        pen.text((left, 3), f"G{column + 1}", fill="black", font=ImageFont.load_default(12))
    for row, (label, panels) in enumerate(rows):
        top = LABEL + row * (height * times + GAP)
        pen.text((4, top + 4), label, fill="black", font=ImageFont.load_default(12))
        for column, panel in enumerate(panels):
            picture = Image.fromarray(panel.repeat(times, axis=0).repeat(times, axis=1))
            whole.paste(picture, (MARGIN + column * (width * times + BETWEEN), top))
    return whole


def film(frames: Sequence[tuple[int, Sequence[Images]]]) -> bytes:
    """The same moments one after the other, as a GIF that begins anew at its end."""
    pictures = [strip([frame]) for frame in frames]
    content = io.BytesIO()
    last = [FRAME_MILLISECONDS] * (len(pictures) - 1) + [4 * FRAME_MILLISECONDS]
    pictures[0].save(content, format="GIF", save_all=True, append_images=pictures[1:], duration=last, loop=0)
    return content.getvalue()


def smaller(picture: Image.Image) -> tuple[str, bytes]:
    """`png` or `jpg`, whichever is smaller, and the file's content: small images are enlarged, which JPEG is bad at."""
    files = {"png": io.BytesIO(), "jpg": io.BytesIO()}
    picture.save(files["png"], format="PNG", optimize=True)
    picture.save(files["jpg"], format="JPEG", quality=QUALITY, optimize=True)
    return min(((kind, content.getvalue()) for kind, content in files.items()), key=lambda one: len(one[1]))


def _enlarged(panel: Images) -> Images:
    times = max(1, round(PANEL / panel.shape[1]))
    return panel.repeat(times, axis=0).repeat(times, axis=1)
