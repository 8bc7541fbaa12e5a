"""`prepare`: everything that machines without internet need, in one folder."""

import json
from pathlib import Path
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.cli.configs import named
from colgan_search.cli.long_work_bar import long_work_shown
from colgan_search.config import find_config, load_config, shipped_configs

EXAMPLE = "colgan-search prepare colgan_data --config digits"


def command(
    folder: Annotated[Path, typer.Argument(help="The folder to make, or to go on with.")],
    config: options.Config = "cifar10",
    mirror: Annotated[
        str | None,
        typer.Option("--mirror", help="Fetch from this address (http, https or file) the files of the same names."),
    ] = None,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics/--no-statistics",
            help="Compute the real images' statistics too (CIFAR-10 with Inception: minutes on a GPU, hours without).",
        ),
    ] = True,
    device: Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N, for the statistics.")] = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Fetch and verify CIFAR-10 and the Inception weights, compute statistics, and leave a folder to carry along.

    Every file is checked by its SHA-256; an interrupted download leaves nothing under the file's name. Exit code 2:
    a wrong address or a file with another digest; 1: the network or the disk failed. The same command goes on.
    """
    from colgan_search.api.preparing import PrepareRequest, prepare

    settings = load_config(config)
    shipped = find_config(config) in shipped_configs().values()
    text = None if shipped else find_config(config).read_text(encoding="utf-8")
    request = PrepareRequest(settings, config, folder, text, mirror, device, statistics)
    with named(config), long_work_shown():
        prepared = prepare(request, console.note)
    if as_json:
        data = {"folder": str(prepared.folder), "files": prepared.digests, "options": prepared.options}
        console.out(json.dumps(data))
        return
    console.out(f"prepared in {prepared.folder}: {len(prepared.digests)} files, listed in manifest.json and SHA256SUMS")
    console.out("on the machine without internet, inside that folder:")
    console.out(f"  colgan-search launch {prepared.options}")
