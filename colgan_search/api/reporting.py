"""`report`: a study in one file that can be sent to somebody. Everything that is not ours in it is escaped."""

import base64
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from colgan_search.api.report_facts import Facts, facts, interval
from colgan_search.api.report_pictures import SAMPLED, Picture, pictures
from colgan_search.api.report_runs import Elsewhere
from colgan_search.api.report_words import duration, in_markdown, signed, verdict
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, output_file, work_folder
from colgan_search.errors import BadInput
from colgan_search.files import atomic_path, write_text
from colgan_search.logs import visible
from colgan_search.records import score_text
from colgan_search.search.care.insight import Insight
from colgan_search.search.ranking.gate_matrix import Cell
from colgan_search.version import __version__

FORMS = {"html": "html", "markdown": "md"}
"""What a report can be -> the end of its file's name."""


def report(
    study: str | None = None,
    *,
    out: str | Path | None = None,
    form: str = "html",
    storage: str | None = None,
    work_dir: str | Path = DEFAULT_WORK_DIR,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Writes a report of a study: the answer first, then what stands behind it. The path of its file.

    HTML is one file with everything in it, and asks nothing of any network; Markdown has its pictures in a folder
    beside it. Some seconds for 1,500 trials.

    Args:
        study: its name; None = the only one of the database.
        out: the file; None = `report.html` (`report.md`) in the study's folder in the work folder.
        form: `html` or `markdown`.
        storage: URL of the database; None = COLGAN_STORAGE, or an SQLite file in the work folder.
        work_dir: where the trained generators are, for samples of images; those of trials of other machines are
            what their workers kept for the dashboard.
        say: is told of the slow parts.

    Raises:
        BadInput: and its kinds: what is wrong; nothing was written.
    """
    if form not in FORMS:
        raise BadInput(f"{form!r} is no form of a report: {' or '.join(FORMS)}")
    work = work_folder(Path(work_dir))
    if out is not None:
        output_file(Path(out))
    with opened_study(storage, work, study, writing=False) as opened:
        known = facts(opened, say)
        say("pictures")
        drawn = pictures(known, work, Elsewhere(opened, say))
    file = work.study(known.study) / f"report.{FORMS[form]}" if out is None else Path(out)
    if form == "html":
        sources = {name: Markup(_inline(picture)) for name, picture in drawn.items()}
        write_text(file, _rendered("report.html", known, drawn, sources))
        return file
    beside = file.with_name(f"{file.stem}_pictures")
    for picture in drawn.values():
        with atomic_path(beside / picture.file) as temporary:
            temporary.write_bytes(picture.data)
    sources = {name: Markup(f"{beside.name}/{picture.file}") for name, picture in drawn.items()}
    write_text(file, _rendered("report.md", known, drawn, sources))
    return file


def _inline(picture: Picture) -> str:
    """The picture in its own address; in an `img` no SVG can run anything."""
    kind = {"svg": "svg+xml", "jpg": "jpeg"}.get(picture.kind, picture.kind)
    return f"data:image/{kind};base64,{base64.b64encode(picture.data).decode()}"


def _rendered(template: str, known: Facts, drawn: dict[str, Picture], sources: dict[str, Markup]) -> str:
    environment = Environment(
        loader=PackageLoader("colgan_search.api"),
        autoescape=template.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Callable[..., str]] = {
        "score": lambda value: "–" if value is None else score_text(value, 3),
        "signed": signed,
        "duration": duration,
        "md": in_markdown,
        "moment": _moment,
    }
    environment.filters |= filters
    names: dict[str, Any] = {
        "f": known,
        "objective": known.config.objective,
        "pictures": drawn,
        "source": sources,
        "interval": interval,
        "verdict": verdict,
        "trained": [n for n in range(1, SAMPLED + 1) if f"curves-{n}" in drawn or f"strip-{n}" in drawn],
        "tint": lambda cell: _tint(known, cell),
        "seen": known.insight if isinstance(known.insight, Insight) else None,
        "version": __version__,
        "made": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "percent": lambda chance: "more than 99 %" if chance >= 0.995 else f"{chance:.0%}".replace("%", " %"),
    }
    return visible(environment.get_template(template).render(names))


def _tint(known: Facts, cell: Cell) -> str:
    """-1 (the worst cell of the matrix) to 1 (the best); 0 is the mean of all graphs."""
    matrix = known.matrix
    if matrix is None or cell.mean is None:
        return "0"
    away = [abs(one.mean - matrix.mean) for row in matrix.cells for one in row if one.mean is not None]
    sign = 1.0 if known.config.objective.higher_is_better else -1.0
    return f"{sign * (cell.mean - matrix.mean) / (max(away) or 1.0):.2f}"


def _moment(seconds: float | None) -> str:
    """Seconds since 1970 as a time in UTC."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M")
