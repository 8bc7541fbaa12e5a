"""`train`: one graph outside a search."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from colgan_search import presets
from colgan_search.cli import console, options, show
from colgan_search.cli.configs import of_config, overridden, set_by
from colgan_search.cli.training_view import TrainingView
from colgan_search.config import load_config
from colgan_search.file_names import DEFAULT_WORK_DIR, WorkFolder
from colgan_search.long_work import heard_by
from colgan_search.records import score_text
from colgan_search.signals import stop_asked

EXAMPLE = "colgan-search train --config digits --graph mad-gan --epochs 5 --seeds 2"


def command(
    graph: Annotated[
        str,
        typer.Option("--graph", help="A preset (mad-gan, all-through, ...), a text form, JSON, or a file of JSON."),
    ],
    config: options.Config = "digits",
    set_: options.Set = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="Instead of the config's.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Independent trainings of the graph.", min=1, max=1000)] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for weights, scores and picture; else in the work folder.")
    ] = None,
    tensorboard: Annotated[
        Path | None,
        typer.Option("--tensorboard", help="Folder for TensorBoard: losses, scores, samples as they come."),
    ] = None,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    skip_broken: options.SkipBroken = False,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Train and score one graph. The same command again goes on where it stopped."""
    settings = overridden(
        set_by(load_config(config), set_),
        ("--epochs", "training.epochs", epochs),
        ("--data-root", "data.root", data_root),
        ("--weights", "evaluation.weights", weights),
        ("--skip-broken", "data.skip_broken", skip_broken or None),
    )
    wanted = presets.resolve(graph, settings.roster)

    from colgan_search.api.training import TrainRequest, default_folder, train_graph
    from colgan_search.evaluation.classifier_card import poor

    folder = out or default_folder(WorkFolder(work_dir), settings, wanted, graph)
    stop = stop_asked()
    request = TrainRequest(settings, wanted, seeds, folder, work_dir, device, tensorboard, console.typed())
    with of_config(config, settings), TrainingView(seeds, Console(stderr=True)) as view, heard_by(view.on_long_work):
        trained = train_graph(request, view.on_progress, stop.is_set, on_iteration=view.on_iteration, say=console.note)
    if as_json:
        console.out(json.dumps({**trained.summary(), "folder": str(folder)}))
        return
    for line in wanted.describe():
        console.out(line)
    how = settings.evaluation
    measured = next((outcome.scores for outcome in trained.outcomes if outcome.scores is not None), None)
    titles = ["IS", show.deviation_title(how.splits), "FID"] if measured is None else show.score_titles(measured)
    table = Table("seed", "weights", "generator", *titles, "seconds", box=None)
    for row, outcome in enumerate(trained.outcomes):
        if outcome.scores is None:
            lowest = ["1.000", *[""] * (len(titles) - 1)]
            table.add_row(str(row), "", "", *lowest, f"{outcome.seconds:.1f}", outcome.diverged)
            continue
        for name, scores in outcome.variants.items():
            for cells in show.variant_rows(name, scores, how.point):
                table.add_row(str(row), *cells, f"{outcome.seconds:.1f}")
    console.console().print(table)
    if (doubt := poor(trained.outcomes[0].classifier_accuracy)) is not None:
        console.out(show.doubt_line(doubt))
    summary = trained.summary()
    deviation = summary["value_std_over_seeds"]
    spread = "" if deviation is None else f" +- {score_text(deviation, 3)} over {len(trained.outcomes)} seeds"
    console.out(f"{summary['objective']}: {score_text(summary['value_mean_over_seeds'], 3)}{spread}")
    in_each = "samples.png, strip.png, film.gif and a bundle (colgan-search sample)"
    console.out(f"left in {folder}: scores.json, graph.png, and in each seed-N {in_each}")
