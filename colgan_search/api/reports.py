"""A reproduced table as Markdown, CSV and JSON."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from colgan_search import __version__
from colgan_search.api.reproduced_rows import RowResult
from colgan_search.api.reproducing import Reproduction
from colgan_search.files import write_text

COLUMNS = (
    "row",
    "paper: IS ± std over splits",
    "paper: FID",
    "ours: IS ± std over seeds",
    "ours: IS std over splits",
    "ours: FID ± std over seeds",
    "seeds",
    "weights",
    "best single trial of the search",
    "state",
)


def write_reports(wanted: Reproduction, rows: Sequence[RowResult], real: RowResult, folder: Path) -> dict[str, Path]:
    """Writes `TABLE-SCALE.md`, `.csv` and `.json` into `folder`; format -> path. `real` is the real images' row."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"md": markdown(wanted, rows, real), "csv": as_csv(rows, real), "json": as_json(wanted, rows, real)}
    paths = {suffix: folder / f"{wanted.table}-{wanted.scale}.{suffix}" for suffix in texts}
    for suffix, text in texts.items():
        write_text(paths[suffix], text)
    return paths


def markdown(wanted: Reproduction, rows: Sequence[RowResult], real: RowResult) -> str:
    """The table for people, with what the figures mean below it."""
    protocols = _protocols([*rows, real])
    lines = [
        f"## {wanted.table.replace('table', 'Table ')} at the {wanted.scale} scale",
        "",
        _line(*COLUMNS),
        "|---" * len(COLUMNS) + "|",
        *(_table_line(row) for row in [*rows, real]),
        "",
        "- Paper: mean and deviation over the splits of one training.",
        "- Ours: mean and deviation over training seeds of the maximum IS over the generators; FID of that generator. "
        "Beside it the mean over the seeds of the deviation over splits, which is what the paper prints; "
        "empty with 1 split.",
        "- Weights that count: `last` at the end of the training, `best` where the interim IS was highest.",
    ]
    if wanted.scale == "digits":
        lines.append(
            "- At the digits scale the extractor and the images differ: compare rows with rows, not with the paper."
        )
    if len({row.protocol["weights_digest"] for row in rows if row.protocol is not None}) > 1:
        lines.append("- These rows were judged by extractors of different weights: their scores are not comparable.")
    for row in [*rows, real]:
        said = [f"graph `{row.graph}`"] if row.graph is not None else []
        said += [f"study `{row.study}`"] if row.study is not None else []
        said += [f"protocol {protocols.index(_text(row.protocol)) + 1}"] if row.protocol is not None else []
        lines += [f"- {row.label}: {', '.join(said)}"] if said else []
    lines += [f"- Protocol {number}: `{text}`" for number, text in enumerate(protocols, start=1)]
    lines.append(f"- Made by colgan-search {__version__}: `{wanted.made_by}`")
    if any(row.per_seed for row in rows):
        lines += ["", "Every seed:", "", _line("row", "trial", "seed", "IS", "IS std over splits", "FID", "diverged")]
        lines.append("|---" * 7 + "|")
        lines += [
            _line(
                row.label,
                seed.trial,
                seed.seed,
                _number(seed.our_is),
                _number(seed.our_is_std_over_splits),
                _number(seed.our_fid),
                seed.diverged,
            )
            for row in rows
            for seed in row.per_seed
        ]
    return "\n".join(lines) + "\n"


def as_csv(rows: Sequence[RowResult], real: RowResult) -> str:
    """One line per row, every field a column; lists and protocols as JSON."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(real.as_dict()), lineterminator="\n")
    writer.writeheader()
    for row in [*rows, real]:
        data = row.as_dict()
        as_text = {key: json.dumps(data[key]) if data[key] else "" for key in ("protocol", "per_seed")}
        writer.writerow(data | as_text)
    return buffer.getvalue()


def as_json(wanted: Reproduction, rows: Sequence[RowResult], real: RowResult) -> str:
    """Everything, for scripts."""
    return json.dumps(
        {
            "table": wanted.table,
            "scale": wanted.scale,
            "version": __version__,
            "command": wanted.made_by,
            "rows": [row.as_dict() for row in rows],
            "real_images": real.as_dict(),
        },
        indent=1,
    )


def _table_line(row: RowResult) -> str:
    searched = "" if row.search_best_is is None else f"{row.search_best_is:.2f} of {row.search_trials} trials"
    fid = _mean(row.our_fid, row.our_fid_std_over_seeds)
    if row.our_fid is not None and row.fid_seeds != row.seeds:
        fid += f" ({row.fid_seeds} seeds)"
    return _line(
        row.label,
        _mean(row.printed_is, row.printed_is_std_over_splits),
        _number(row.printed_fid),
        _mean(row.our_is, row.our_is_std_over_seeds),
        _number(row.our_is_std_over_splits),
        fid,
        row.seeds or None,
        row.weights,
        searched,
        row.state,
    )


def _protocols(rows: Sequence[RowResult]) -> list[str]:
    """Every different protocol, in the order of the rows."""
    return list(dict.fromkeys(_text(row.protocol) for row in rows if row.protocol is not None))


def _text(protocol: object) -> str:
    return json.dumps(protocol, sort_keys=True)


def _line(*cells: object) -> str:
    """A line of a Markdown table; None = an empty cell."""
    return "| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in cells) + " |"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _mean(mean: float | None, deviation: float | None) -> str:
    return _number(mean) if deviation is None else f"{mean:.2f} ± {deviation:.2f}"
