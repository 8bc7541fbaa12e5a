"""Small pictures for the dashboard: a few kilobytes each, so that a thousand trials have room for theirs."""

import io
from collections.abc import Sequence

import numpy as np
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


def drawing(figure: Figure) -> bytes:
    """A figure of lines and words as a PNG of few colours."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS)
    content.seek(0)
    with Image.open(content) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small = io.BytesIO()
    few.save(small, format="PNG", optimize=True)
    return small.getvalue()


def sample_grid(images: Sequence[Images], labels: Sequence[str]) -> tuple[str, bytes]:
    """One labelled panel per generator: `images[i]` uint8 [n, H, W, 1 or 3], all of the same z in the same places.

    `png` or `jpg`, whichever is smaller, and the file's content: small images are enlarged, which JPEG is bad at.
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
    files = {"png": io.BytesIO(), "jpg": io.BytesIO()}
    whole.save(files["png"], format="PNG", optimize=True)
    whole.save(files["jpg"], format="JPEG", quality=QUALITY, optimize=True)
    return min(((kind, content.getvalue()) for kind, content in files.items()), key=lambda one: len(one[1]))


def _enlarged(panel: Images) -> Images:
    times = max(1, round(PANEL / panel.shape[1]))
    return panel.repeat(times, axis=0).repeat(times, axis=1)
