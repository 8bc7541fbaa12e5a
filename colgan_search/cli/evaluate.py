"""`evaluate`: inception score, FID, KID, precision and recall of what is already there."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from colgan_search.cli import console, options, show
from colgan_search.cli.configs import named
from colgan_search.cli.long_work_bar import long_work_shown
from colgan_search.cli.wording import as_typed
from colgan_search.config import StudyConfig, load_config
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR

if TYPE_CHECKING:
    from colgan_search.api.evaluating import Evaluated
    from colgan_search.api.own_files import OwnFiles


EXAMPLE = "colgan-search evaluate --real --config digits --splits 10"


def command(
    run: Annotated[
        Path | None,
        typer.Argument(
            help="A bundle (of `best --export` or `train`), the folder of an unfinished `train` (its checkpoint is "
            "scored), or a trial's run folder with --config or --study."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="Score all images below this folder, with class folders or without.")
    ] = None,
    real: Annotated[bool, typer.Option("--real", help="Score the real images themselves.")] = False,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            help="The real images and the protocol: a YAML file or a shipped name. Else the bundle's, or cifar10.",
        ),
    ] = None,
    study: Annotated[
        str | None, typer.Option("--study", help="Take the config of this study instead (see --storage).")
    ] = None,
    storage: options.Storage = None,
    images_per_generator: Annotated[
        int | None, typer.Option("--images-per-generator", help="Generated images, instead of the config's.", min=2)
    ] = None,
    splits: Annotated[int | None, typer.Option("--splits", help="Splits of the IS, instead of the config's.")] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Pixels of --images and --real, instead of the config's.")
    ] = None,
    extractor: Annotated[
        str | None, typer.Option("--extractor", help="inception or classifier, instead of the config's.")
    ] = None,
    kid: Annotated[bool, typer.Option("--kid", help="The kernel inception distance as well.")] = False,
    precision_recall: Annotated[bool, typer.Option("--precision-recall", help="Precision and recall as well.")] = False,
    ema: options.Ema = False,
    seed: Annotated[
        int | None,
        typer.Option("--seed", help="Of the generated images; else that of the bundle's recorded scores, or 0.", min=0),
    ] = None,
    device: options.Device = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> int:
    """Score trained generators, a folder of images, or the real images: IS and FID, and KID, precision and recall.

    The real CIFAR-10 images at 32 x 32 under Inception must give torch-fidelity's figure, 11.24 +- 0.10: `evaluate
    --real --config cifar10 --size 32` checks this installation, and exits with 1 if they do not.
    """
    from colgan_search.api.evaluating import EvaluateRequest, evaluate
    from colgan_search.api.own_files import OwnFiles

    own = OwnFiles(data_root, weights)
    settings, cache = _settings(config, study, storage, work_dir, own, default=run is None)
    named_here = {
        "evaluation.images": images_per_generator,
        "evaluation.splits": splits,
        "evaluation.extractor": extractor,
        "evaluation.weights": weights,
        "data.size": size,
        "data.root": data_root,
    }
    overrides = {key: value for key, value in named_here.items() if value is not None}
    request = EvaluateRequest(
        settings, run, images, real, overrides, kid, precision_recall, seed, work_dir, device, cache, ema
    )
    with named(config or (f"study {study!r}" if study else "cifar10" if run is None else str(run))), long_work_shown():
        found = evaluate(request)
    wrong = found.calibration is not None and not found.calibration.ok
    if as_json:
        console.out(json.dumps(found.as_dict()))
    else:
        _show(found)
    return 1 if wrong else 0


def _settings(
    config: str | None, study: str | None, storage: str | None, work_dir: Path, own: "OwnFiles", default: bool
) -> tuple[StudyConfig | None, Path | None]:
    """The config that is named, or the study's with its cache, or cifar10 if there has to be one."""
    from colgan_search.api.study_scoring import study_cache
    from colgan_search.api.work_and_storage import opened_study, work_folder

    if study is not None:
        if config is not None:
            raise BadInput("--study has its own config; leave out --config, or --study")
        with opened_study(storage, work_folder(work_dir), study) as opened:
            return own.applied(opened.config, study), study_cache(opened, work_folder(work_dir))
    if config is None and not default:
        return None, None
    return load_config(config or "cifar10"), None


def _show(found: "Evaluated") -> None:
    from colgan_search.evaluation.classifier_card import poor

    protocol = found.scores.protocol
    table = Table("", *show.score_titles(found.scores), *(found.more[0] if found.more else ()), box=None)
    for number, (name, score) in enumerate(zip(found.names, found.scores.generators, strict=True)):
        more = found.more[number].values() if found.more else ()
        table.add_row(name, *show.score_cells(score, protocol.splits), *(f"{value:.5f}" for value in more))
    console.console().print(table)
    colour = "colour" if protocol.channels == 3 else "grey"
    if found.iteration is not None:
        console.out(f"of a checkpoint: the training stands at iteration {found.iteration:,}")
    console.out(
        f"measured with {protocol.extractor} ({protocol.weights_digest}), {protocol.images} images of "
        f"{protocol.resolution} x {protocol.resolution} pixels in {colour}, {show.splits_text(protocol.splits)}"
    )
    if (doubt := poor(found.classifier_accuracy)) is not None:
        console.out(show.doubt_line(doubt))
    if found.compared is not None:
        console.out(as_typed(found.compared))
    if protocol.reference is not None:
        console.out(f"FID against {protocol.reference}")
    for line in found.words:
        console.out(line)
    if found.calibration is None and found.is_of_published_data:
        console.out("no calibration check: it needs inception, --size 32, --splits 10 and all images, in colour")
    if found.calibration is not None:
        check = found.calibration
        console.out(
            f"calibration: expected IS {check.expected:.2f} +- {check.tolerance:.2f} (torch-fidelity, CIFAR-10's "
            f"training set at 32 x 32), measured {check.measured:.2f}: {'ok' if check.ok else 'not ok'}"
        )
