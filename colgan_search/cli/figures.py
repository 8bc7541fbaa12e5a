"""`figures`: the paper's figures 5 to 8 and more, of a study or of one run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search figures --study digits --out pictures --format png,svg"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="A folder that `train` left, instead of a study.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the pictures; else figures/ in the study's or run's folder."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Draw this figure only, by the name of its file: effects; may be given again."),
    ] = None,
    form: Annotated[str, typer.Option("--format", help="png, svg, pdf, or several of them.")] = "png,svg,pdf",
    against: Annotated[
        list[str] | None, typer.Option("--against", help="Another study for the boxplot; may be given again.")
    ] = None,
    mad_gan: Annotated[
        Path | None,
        typer.Option(
            "--mad-gan",
            help="Run folder of MAD-GAN for t-SNE, of `train` or of a trial; else one that fits in the work folder.",
        ),
    ] = None,
    tsne_images: Annotated[
        int, typer.Option("--tsne-images", help="Images per generator for t-SNE.", min=4, max=10_000)
    ] = 1000,
    tsne_z: Annotated[
        str, typer.Option("--tsne-z", help="shared = the same z through all generators (the paper's), or own.")
    ] = "shared",
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> None:
    """Draw samples (figure 5), t-SNE (6), all trials (7), the best graph (8), IS over epochs, ramps, what matters.

    Draws what the study and this machine's run folders hold, and says in one line each what cannot be drawn, and why.
    """
    from colgan_search.api.figures import FIGURES, FiguresRequest, draw_figures

    request = FiguresRequest(
        study=study,
        run=run,
        out=out,
        formats=tuple(dict.fromkeys(name.strip().lower() for name in form.split(","))),
        only=tuple(dict.fromkeys(only)) if only else FIGURES,
        against=tuple(against or ()),
        mad_gan=mad_gan,
        tsne_images=tsne_images,
        tsne_z=tsne_z,
        storage=storage,
        work_dir=work_dir,
    )
    drawn = draw_figures(request, console.note)
    if as_json:
        files = {name: [str(path) for path in paths] for name, paths in drawn.files.items()}
        console.out(json.dumps({"figures": files, "missing": drawn.missing}))
        return
    for name, paths in drawn.files.items():
        console.out(f"{name}: {', '.join(str(path) for path in paths)}")
    for name, why in drawn.missing.items():
        console.out(f"not drawn: {name}: {why}")
