"""`best`: the best graph of a study."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from colgan_search.cli import console, options, show, show_insight
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR
from colgan_search.records import Progress
from colgan_search.signals import stop_asked

if TYPE_CHECKING:
    from colgan_search.api.bundles import ExportRequest


EXAMPLE = "colgan-search best --study digits --picture best.svg"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the graph here (.png, .svg or .pdf), not in the work folder.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Leave a bundle here: graph, config, weights, samples, scores.")
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="With --export: train again if the weights are on another machine.")
    ] = False,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Show the best graph by the model's estimate: in words, as JSON, as a picture, with every generator's IS.

    The estimate is of all runs of all graphs. The luckiest single run, the paper's way to name a graph, stands beside
    it with what it flatters its graph by. Of a confirmation, its answer is shown.
    """
    from colgan_search.api.doubts import doubt
    from colgan_search.api.work_and_storage import opened_study, work_folder
    from colgan_search.search.care.insight import insight
    from colgan_search.search.ranking.naming import named
    from colgan_search.search.study import results
    from colgan_search.search.study.cuts import cuts

    if retrain and export is None:
        raise BadInput("--retrain needs --export: the folder for the bundle")
    if export is None and (data_root is not None or weights is not None):
        raise BadInput("--data-root and --weights are for --export; leave them out, or add --export")
    with opened_study(storage, work_folder(work_dir), study, writing=retrain) as opened:
        if export is not None:
            from colgan_search.api.bundles import ExportRequest  # here: it knows PyTorch

            request = ExportRequest(
                opened,
                export,
                work_folder(work_dir),
                console.typed(),
                retrain=retrain,
                device=device,
                data_root=data_root,
                weights=weights,
            )
            _export(request)
        if not as_json:
            show.best(opened, work_dir, picture)
            show_insight.table(insight(opened), opened.config.objective)
            return
        found = named(opened)
        record = found.run
        files = show.draw_best(opened, record, work_dir, picture)
        recorded = results.outcome(opened, record.number)
        data = {
            "study": opened.name,
            **record.as_dict(),
            **found.as_dict(),
            "variants": {} if recorded is None else recorded.model_dump(mode="json")["variants"],
            "graph_json": results.best_graph(record).to_json(),
            "warning": doubt(opened),
            **show_insight.as_json(insight(opened)),
            "pruning": {
                "method": opened.config.pruning.method,
                **asdict(cuts(results.trials(opened), opened.config.objective)),
            },
            "pictures": [str(path) for path in files],
            "bundle": None if export is None else str(export),
        }
        console.out(json.dumps(data))


def _export(request: "ExportRequest") -> None:
    from colgan_search.api.bundles import export_best

    should_stop = stop_asked().is_set if request.retrain else lambda: False

    def on_progress(progress: Progress) -> None:
        console.note(f"training again: epoch {progress.epoch}/{progress.epochs}")

    bundle = export_best(request, on_progress, should_stop)
    console.note(f"bundle left in {bundle.folder}; images from it: colgan-search sample {bundle.folder}")
