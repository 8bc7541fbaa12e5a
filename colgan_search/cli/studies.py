"""`studies`: what a database holds."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from colgan_search.cli import console, options, show
from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.overview import Overview

EXAMPLE = "colgan-search studies --storage postgresql://me@db/colgan"


def command(
    storage: options.Storage = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """List every study of the database: how far it is, who works on it, its luckiest run.

    A study that cannot be read is listed with the reason. `best --study NAME` names a graph by all its runs.
    """
    from colgan_search.api.overview import overview
    from colgan_search.api.work_and_storage import opened_storage, work_folder

    with opened_storage(storage, work_folder(work_dir), writing=False) as opened:
        found = overview(opened)
        where = opened.name
    if as_json:
        console.out(json.dumps([_plain(one) for one in found]))
        return
    if not found:
        console.out(f"{where} holds no study")
        return
    table = Table("study", "for", "k", "trials", "running", "workers", "left", "luckiest run", "its graph", box=None)
    for one in found:
        table.add_row(*_cells(one))
    console.console().print(table)
    for one in found:
        if one.problem is not None:
            console.note(f"{one.name}: {one.problem}")


def _cells(one: "Overview") -> list[str]:
    if one.config is None or one.now is None:
        return [one.name, "cannot be read"]
    now, best, objective = one.now, one.now.best, one.config.objective
    failed = f", {now.budget.failed} failed" if now.budget.failed else ""
    return [
        one.name,
        one.purpose,
        str(one.config.k),
        f"{now.budget.done}/{now.budget.total}{failed}",
        str(now.budget.running),
        str(len(now.workers)),
        (show.time_left(now) or "").removesuffix(" left"),
        "" if best is None else f"{objective.label} {show.value_text(best, 3)}",
        "" if best is None else console.optional(best.graph),
    ]


def _plain(one: "Overview") -> dict[str, Any]:
    if one.config is None or one.now is None:
        return {"study": one.name, "problem": one.problem}
    now = one.now
    return {
        "study": one.name,
        "for": one.purpose,
        "k": one.config.k,
        "finished": now.budget.finished,
        **asdict(now.budget),
        "workers": len(now.workers),
        "seconds_left": now.seconds_left,
        "best": None if now.best is None else now.best.as_dict(),
        "problem": None,
    }
