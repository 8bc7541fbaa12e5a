"""`reproduce`: the paper's tables, from one command each."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from colgan_search.api.launching import LaunchRequest, prepare_launch
from colgan_search.api.places import DEFAULT_WORK_DIR
from colgan_search.api.reports import as_json as report_as_json
from colgan_search.api.reports import markdown, write_reports
from colgan_search.api.reproduced_figures import draw_paper_figures, run_figures
from colgan_search.api.reproducing import Reproduction, gather, run_table, score_real_images
from colgan_search.cli import console, options, watch
from colgan_search.errors import ColganError, Interrupted

EXAMPLE = "colgan-search reproduce table1 --scale digits --seeds 3"


class Table(str, Enum):
    """What can be reproduced."""

    table1 = "table1"
    table2 = "table2"
    table3 = "table3"
    figures = "figures"


class Size(str, Enum):
    """At which size."""

    paper = "paper"
    digits = "digits"


def command(
    table: Annotated[Table, typer.Argument(help="table1, table2, table3 or figures.")],
    scale: Annotated[Size, typer.Option("--scale", help="paper (GPUs, weeks) or digits (two cores, minutes).")],
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings per row.")] = 3,
    trials: Annotated[
        int | None, typer.Option("--trials", help="Total of each search, instead of its config's.")
    ] = None,
    only_report: Annotated[bool, typer.Option("--only-report", help="Run nothing; print what is there.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the reports; else in the work folder.")] = None,
    storage: options.Storage = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Worker processes, as in launch.")] = None,
    device: options.Device = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Run or resume what a table of the paper needs, then print it with our columns beside the printed ones.

    Every row is a study, so workers on other machines can help. A search's best graph is trained again with new seeds.
    """
    if table is Table.figures:
        wanted = Reproduction("table3", scale.value, seeds, trials, storage, work_dir, workers, device)
        run_figures(wanted, _run, only_draw=only_report)
        drawn = draw_paper_figures(wanted, out or work_dir / "reproduce" / f"figures-{scale.value}")
        for done in drawn.values():
            for files in done.files.values():
                console.out(", ".join(str(file) for file in files))
            for name, reason in done.missing.items():
                console.note(f"{name} not drawn: {reason}")
        return
    wanted = Reproduction(table.value, scale.value, seeds, trials, storage, work_dir, workers, device)
    real = None
    if not only_report:
        run_table(wanted, _run)
        real = score_real_images(wanted)
    rows = gather(wanted)
    paths = write_reports(wanted, rows, real, out or work_dir / "reproduce")
    console.out(report_as_json(wanted, rows, real) if as_json else markdown(wanted, rows, real))
    console.note("reports: " + ", ".join(str(path) for path in paths.values()))


def _run(request: LaunchRequest) -> None:
    """One study to its end, as `launch` does it."""
    launched = prepare_launch(request)
    study = launched.study
    try:
        if study.slots.budget().finished:
            console.note(f"study {study.name} is done")
            return
        console.note(f"study {study.name}: {study.slots.budget().total} trials")
        ended = watch.until_done(study, launched.start_workers())
        if study.slots.budget().finished:
            return
        if ended.drained:
            raise Interrupted("stopped; the same command goes on from here")
        raise ColganError(f"study {study.name} could not be finished:\n  " + "\n  ".join(ended.failures))
    finally:
        study.storage.close()
