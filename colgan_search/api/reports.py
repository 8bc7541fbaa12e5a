"""A reproduced table as Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from colgan_search import __version__
from colgan_search.api.reproducing import RealImagesScore, Reproduction, RowResult
from colgan_search.files import write_text


def write_reports(
    wanted: Reproduction, rows: Sequence[RowResult], real: RealImagesScore | None, folder: Path
) -> dict[str, Path]:
    """Writes `TABLE-SCALE.md`, `.csv` and `.json` into `folder`; format -> path."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"md": markdown(wanted, rows, real), "csv": as_csv(rows), "json": as_json(wanted, rows, real)}
    paths = {suffix: folder / f"{wanted.table}-{wanted.scale}.{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        write_text(paths[suffix], text)
    return paths


def markdown(wanted: Reproduction, rows: Sequence[RowResult], real: RealImagesScore | None) -> str:
    """The table for people, with what the figures mean below it."""
    lines = [
        f"## {wanted.table.replace('table', 'Table ')} at the {wanted.scale} scale",
        "",
        "| row | paper: IS | paper: FID | ours: IS | ours: FID | seeds | best single trial of the search | state |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        search = "" if row.search_best_is is None else f"{row.search_best_is:.2f} of {row.search_trials} trials"
        lines.append(
            f"| {row.label} | {_pm(row.printed_is, row.printed_is_std_over_splits)} | {_pm(row.printed_fid, None)} "
            f"| {_pm(row.our_is, row.our_is_std_over_seeds)} | {_pm(row.our_fid, row.our_fid_std_over_seeds)} "
            f"| {row.seeds or ''} | {search} | {row.state} |"
        )
    if real is not None:
        over_splits = real.score.is_std if real.protocol.splits > 1 else None
        lines.append(
            f"| real images | {_pm(real.printed_is, real.printed_is_std)} | | "
            f"{_pm(real.score.is_mean, over_splits)} | | | | complete, {real.protocol.splits} split(s) |"
        )
    lines += ["", "- Paper: mean and deviation over the splits of one training.", "- Ours: mean and deviation over "]
    lines[-1] += "training seeds of the maximum IS over the generators; FID of that generator."
    if wanted.scale == "digits":
        lines.append(
            "- At the digits scale the extractor and the images differ: compare rows with rows, not with the paper."
        )
    for row in rows:
        if row.graph is not None:
            lines.append(f"- {row.label}: graph `{row.graph}`")
    protocols = {json.dumps(row.protocol, sort_keys=True) for row in rows if row.protocol is not None}
    lines += [f"- Protocol: `{protocol}`" for protocol in sorted(protocols)]
    lines.append(f"- Made by colgan-search {__version__}: `{rows[0].command}`")
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[RowResult]) -> str:
    """One line per row, every field a column."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0].as_dict()), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row.as_dict() | {"protocol": json.dumps(row.protocol) if row.protocol else ""})
    return buffer.getvalue()


def as_json(wanted: Reproduction, rows: Sequence[RowResult], real: RealImagesScore | None) -> str:
    """Everything, for scripts."""
    return json.dumps(
        {
            "table": wanted.table,
            "scale": wanted.scale,
            "version": __version__,
            "rows": [row.as_dict() for row in rows],
            "real_images": None if real is None else real.model_dump(mode="json"),
        },
        indent=1,
    )


def _pm(mean: float | None, deviation: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"
