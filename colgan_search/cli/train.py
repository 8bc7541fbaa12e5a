"""`train`: one graph outside a search."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from colgan_search import api, presets
from colgan_search.cli import console, options, show
from colgan_search.cli.configs import of_config
from colgan_search.cli.training_view import TrainingView
from colgan_search.config import load_config, with_overrides
from colgan_search.file_names import WorkFolder
from colgan_search.signals import stop_asked

EXAMPLE = "colgan-search train --config digits --graph mad-gan --epochs 5 --seeds 2"


def command(
    graph: Annotated[
        str,
        typer.Option("--graph", help="A preset (mad-gan, all-through, ...), a text form, JSON, or a file of JSON."),
    ],
    config: options.Config = "digits",
    epochs: Annotated[int | None, typer.Option("--epochs", help="Instead of the config's.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Independent trainings of the graph.", min=1, max=1000)] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for weights, scores and picture; else in the work folder.")
    ] = None,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    skip_broken: options.SkipBroken = False,
    work_dir: options.WorkDir = api.DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Train and score one graph. The same command again goes on where it stopped."""
    settings = load_config(config)
    for source, section, key, value in (
        ("--epochs", "training", "epochs", epochs),
        ("--data-root", "data", "root", data_root),
        ("--weights", "evaluation", "weights", weights),
        ("--skip-broken", "data", "skip_broken", skip_broken or None),
    ):
        if value is not None:
            settings = with_overrides(settings, source, **{section: {key: value}})
    wanted = presets.resolve(graph, settings.roster)
    slug = re.sub(r"[^A-Za-z0-9.-]+", "_", graph if len(graph) < 60 else wanted.to_text())[:80]
    folder = out or WorkFolder(work_dir).train / f"{settings.name}-{slug}-{settings.training.epochs}-epochs"
    stop = stop_asked()
    request = api.TrainRequest(settings, wanted, seeds, folder, work_dir, device, console.typed())
    with of_config(config, settings), TrainingView(seeds, Console(stderr=True)) as view:
        trained = api.train_graph(
            request, view.on_progress, stop.is_set, on_iteration=view.on_iteration, say=console.note
        )
    if as_json:
        console.out(json.dumps({**trained.summary(), "folder": str(folder)}))
        return
    for line in wanted.describe():
        console.out(line)
    how = settings.evaluation
    table = Table("seed", "weights", "generator", "IS", show.deviation_title(how.splits), "FID", "seconds", box=None)
    for row, outcome in enumerate(trained.outcomes):
        if outcome.scores is None:
            table.add_row(str(row), "", "", "1.000", "", "", f"{outcome.seconds:.1f}", outcome.diverged)
            continue
        for name, scores in outcome.variants.items():
            for cells in show.variant_rows(name, scores, how.point):
                table.add_row(str(row), *cells, f"{outcome.seconds:.1f}")
    console.console().print(table)
    if (doubt := api.poor(trained.outcomes[0].classifier_accuracy)) is not None:
        console.out(show.doubt_line(doubt))
    summary = trained.summary()
    deviation = summary["max_is_std_over_seeds"]
    spread = "" if deviation is None else f" +- {deviation:.3f} over {len(trained.outcomes)} seeds"
    console.out(f"maximum IS: {summary['max_is_mean_over_seeds']:.3f}{spread}")
    console.out(f"left in {folder}: scores.json, graph.png, and a bundle in each seed-N (colgan-search sample)")
