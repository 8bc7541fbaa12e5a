"""`clean`: what nobody needs any more on this machine's disk."""

import json
from typing import Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search clean --study digits --yes"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    caches: Annotated[
        bool,
        typer.Option(
            "--caches",
            help="Also classifiers and reference statistics that no study of this database was measured by; a study in "
            "another database would make its own anew, and its scores would no longer compare.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove what is shown.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what would go from the work folder, with sizes; remove it with --yes.

    Checkpoints of finished trials, generators beyond the best (runtime.keep_best), logs of dead workers, unreadable
    results. Never anything of a trial that is not finished, nor a result that waits for the database.
    """
    from colgan_search.api.cleaning import CleanRequest, clean  # here: it knows the database

    cleaned = clean(CleanRequest(storage, study, work_dir, caches, yes))
    if as_json:
        files = [{"path": str(item.path), "bytes": item.bytes, "why": item.why} for item in cleaned.leftovers]
        console.out(json.dumps({"removed": cleaned.removed, "bytes": cleaned.bytes, "files": files}))
        return
    if not cleaned.leftovers:
        console.out(f"study {cleaned.study}: nothing to remove in {cleaned.folder}")
        return
    table = Table("file", "size", "why", box=None)
    for item in cleaned.leftovers:
        table.add_row(str(item.path.relative_to(cleaned.folder)), size_text(item.bytes), item.why)
    console.console().print(table)
    count = f"{len(cleaned.leftovers)} files, {size_text(cleaned.bytes)}"
    console.out(f"{count} removed" if cleaned.removed else f"{count} would be removed; add --yes to remove them")


def size_text(count: int) -> str:
    """`1.5 MiB`."""
    size, units = float(count), ["B", "KiB", "MiB", "GiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:.0f} B" if units[0] == "B" else f"{size:.1f} {units[0]}"
