"""`sample`: images from a bundle's generators."""

from pathlib import Path
from typing import Annotated

import typer

from colgan_search.cli import console, options

EXAMPLE = "colgan-search sample colgan_best --n 64 --seed 0 --out grid.png"


def command(
    bundle: Annotated[Path, typer.Argument(help="A folder that `best --export` or `train` has left.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="grid.png for one picture, images.npz for arrays, or a folder for single PNG files."
        ),
    ] = Path("grid.png"),
    n: Annotated[int, typer.Option("--n", help="Images per generator.", min=1, max=1_000_000)] = 64,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same images.", min=0)] = 0,
    generator: Annotated[str, typer.Option("--generator", help="G1, G2, ..., best or all.")] = "best",
    ema: options.Ema = False,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")] = "auto",
) -> None:
    """Draw images from a bundle's generators. No file of the bundle is ever unpickled."""
    from colgan_search.api.bundles import SampleRequest, sample

    files = sample(SampleRequest(bundle, out, n, seed, generator, device, ema))
    console.out(str(files[0]) if len(files) == 1 else f"{len(files)} files in {out}")
