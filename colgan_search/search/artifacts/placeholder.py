"""What is shown where a trial's pictures have given way to those of better trials."""

import io
from functools import lru_cache

from PIL import Image, ImageDraw

WORDS = "not kept: the best trials keep their pictures\n(artifacts.max_megabytes)"


@lru_cache(maxsize=1)
def placeholder() -> bytes:
    """A small PNG; browsers know pictures by their first bytes, whatever they were announced as."""
    picture = Image.new("L", (300, 60), 235)
    ImageDraw.Draw(picture).multiline_text((10, 14), WORDS, fill=90, spacing=6)
    content = io.BytesIO()
    picture.save(content, format="PNG", optimize=True)
    return content.getvalue()
