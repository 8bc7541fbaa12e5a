"""Figures to files: the format by the file's suffix, each file whole or not at all."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure

from colgan_search.errors import BadInput
from colgan_search.files import atomic_path

FORMATS = ("png", "svg", "pdf")
"""What a figure can be saved as."""
DOTS_PER_INCH = 160
NO_DATE = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
"""Metadata without the time of saving, so that the same figure does not differ by it."""


def picture_paths(paths: Path | str | Sequence[Path | str]) -> list[Path]:
    """One or several paths as a list; BadInput unless each ends in .png, .svg or .pdf."""
    listed = [Path(path) for path in ([paths] if isinstance(paths, Path | str) else paths)]
    for path in listed:
        if _format(path) not in FORMATS:
            allowed = ", ".join(f".{name}" for name in FORMATS)
            raise BadInput(f"{path}: unknown picture format {path.suffix!r}; a picture's name ends in {allowed}")
    return listed


def save_figure(figure: Figure, paths: Path | str | Sequence[Path | str]) -> list[Path]:
    """Writes the figure to every path, making folders as needed, and gives the paths. Errors as `picture_paths`."""
    listed = picture_paths(paths)
    for path in listed:
        kind = _format(path)
        with atomic_path(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=DOTS_PER_INCH, metadata=NO_DATE[kind])
    return listed


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as the content of a file of this format."""
    buffer = BytesIO()
    figure.savefig(buffer, format=kind, dpi=DOTS_PER_INCH, metadata=NO_DATE[kind])
    return buffer.getvalue()


def _format(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")
