"""`reproduce`: the paper's tables, from one command each."""

import json
import shlex
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.launching import LaunchRequest
    from colgan_search.reproduction.running import Reproduction
    from colgan_search.search.study.opening import OpenStudy

EXAMPLE = "colgan-search reproduce table1 --scale digits --seeds 5"


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
    seeds: Annotated[
        int, typer.Option("--seeds", help="Trainings per row, each with a seed of its own.", min=1, max=1000)
    ] = 5,
    trials: Annotated[
        int | None,
        typer.Option("--trials", help="Total of each search, instead of its config's.", min=1, max=options.MAX_TRIALS),
    ] = None,
    only_report: Annotated[
        bool, typer.Option("--only-report", help="Run nothing; print or draw what is there.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the reports or pictures; else in the work folder.")
    ] = None,
    storage: options.Storage = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            help="Worker processes, as in launch; 0 = only make the studies, for workers elsewhere.",
            min=0,
        ),
    ] = None,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Run or resume what a table of the paper needs, then print it with our columns beside the printed ones.

    Every row is a study, so workers on other machines can help. A search's best graph is trained again with new seeds,
    and the paper's claims stand below as questions with a measured answer. `figures` runs the studies of all tables
    that figures 5 to 8 are of, draws them, and answers what the paper claims of figures 5 and 6.

    Absolute values cannot be compared with the paper's: its real images have IS 8.70, CIFAR-10's training images by
    torch-fidelity 11.24, so its protocol is another; only rows can be compared with rows.
    """
    from colgan_search.api.work_and_storage import work_folder
    from colgan_search.reproduction.paper_figures import run_figures  # here: these know the database and PyTorch
    from colgan_search.reproduction.running import Reproduction, run_table

    figures = table is Table.figures
    folder = out or work_folder(work_dir).reproduced / (f"figures-{scale.value}" if figures else "")
    # Before anything runs: a wrong folder must not be told after weeks.
    work_folder(folder, "--work-dir" if out is None else "--out")
    wanted = Reproduction(
        "table3" if figures else table.value,
        scale.value,
        seeds,
        trials,
        storage,
        work_dir,
        workers,
        device,
        data_root,
        weights,
        console.typed(),
    )
    if not only_report and not (run_figures if figures else run_table)(wanted, _run):
        console.note("when these are done, the same command goes on from there")
    elif figures:
        _draw(wanted, folder, as_json)
    else:
        _report(wanted, folder, only_report, as_json)


def _report(wanted: "Reproduction", folder: Path, only_report: bool, as_json: bool) -> None:
    from colgan_search.reproduction.reports import report

    table = report(wanted, measure_real_images=not only_report)
    paths = table.write(folder)
    console.out(table.json() if as_json else table.markdown())
    console.note("reports: " + ", ".join(str(path) for path in paths.values()))


def _draw(wanted: "Reproduction", folder: Path, as_json: bool) -> None:
    from colgan_search.reproduction import figure_claims
    from colgan_search.reproduction.paper_figures import CLAIMS, RECORD, draw_paper_figures

    drawn = draw_paper_figures(wanted, folder, console.note)
    if as_json:
        data: dict[str, Any] = {
            name: {
                "figures": {figure: [str(path) for path in paths] for figure, paths in done.files.items()},
                "missing": done.missing,
            }
            for name, done in drawn.folders.items()
        }
        data["claims"] = None if drawn.claims is None else figure_claims.as_dict(drawn.claims)
        console.out(json.dumps(data))
    else:
        for name, done in drawn.folders.items():
            for figure, paths in done.files.items():
                console.out(f"{name}, {figure}: {', '.join(str(path) for path in paths)}")
            for figure, reason in done.missing.items():
                console.out(f"not drawn: {name}, {figure}: {reason}")
        if drawn.claims is not None:
            console.out(f"\n{figure_claims.markdown(drawn.claims, wanted.made_by)}")
    if any(done.files for done in drawn.folders.values()):
        console.note(f"what they show: {folder / RECORD}")
    if drawn.claims is not None:
        console.note(f"their claims: {folder / CLAIMS}")


def _run(request: "LaunchRequest") -> bool:
    """One study to its end, as `launch` does it. Without workers here only the command for workers elsewhere."""
    from colgan_search.api.launching import prepare_launch
    from colgan_search.cli import watch

    launched = prepare_launch(request)
    study = launched.study
    try:
        if study.slots.budget().finished:
            console.note(f"study {study.name} is done")
            return True
        console.note(f"study {study.name}: {study.slots.budget().total} trials")
        if not launched.devices:
            console.out(_worker_command(request, study))
            return False
        watch.until_done(study, launched.start_workers()).require_finished()
        return True
    finally:
        study.storage.close()


def _worker_command(request: "LaunchRequest", study: "OpenStudy") -> str:
    """What a worker needs to be told; a password is shown as ***."""
    words = ["colgan-search", "worker", "--study", study.name]
    if request.storage is not None:
        words += ["--storage", study.storage.name]
    if request.work_dir != DEFAULT_WORK_DIR:
        words += ["--work-dir", str(request.work_dir)]
    return shlex.join(words)
