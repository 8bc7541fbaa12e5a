"""`doctor`: what is wrong, and what to do."""

import json
from collections import Counter
from dataclasses import asdict, replace
from typing import Annotated

import typer

from colgan_search.cli import console, options
from colgan_search.cli.wording import as_typed
from colgan_search.config import load_config, with_overrides
from colgan_search.errors import BadInput
from colgan_search.file_names import DEFAULT_WORK_DIR

EXAMPLE = "colgan-search doctor --study digits"


def command(
    study: options.Study = None,
    storage: options.Storage = None,
    config: Annotated[
        str | None, typer.Option("--config", help="Look at the data and weights of this study config, not the study's.")
    ] = None,
    data_root: options.DataRoot = None,
    weights: options.Weights = None,
    skip_broken: options.SkipBroken = False,
    on: Annotated[
        str | None, typer.Option("--on", help="Also look at the scheduler that would start the workers: slurm.")
    ] = None,
    work_dir: options.WorkDir = DEFAULT_WORK_DIR,
    as_json: options.AsJson = False,
) -> int:
    """Look at this machine, the database and its studies: every line is ok, warning or error, with what to do.

    Changes and downloads nothing. Exit code 1 if there is an error.
    """
    from colgan_search.api.doctoring import DoctorRequest, doctor  # here: it knows the database and PyTorch

    settings = None if config is None else load_config(config)
    if skip_broken:
        if settings is None:
            raise BadInput("--skip-broken changes the data of a --config; a study has its own setting")
        settings = with_overrides(settings, {"data.skip_broken": True}, "--skip-broken")
    found = doctor(DoctorRequest(storage, study, settings, work_dir, data_root, weights, on))
    checks = [replace(check, what=as_typed(check.what), advice=as_typed(check.advice)) for check in found]
    counts = Counter(check.level for check in checks)
    if as_json:
        data = {"errors": counts["error"], "warnings": counts["warning"], "checks": [asdict(c) for c in checks]}
        console.out(json.dumps(data))
    else:
        for check in checks:
            console.out(f"{check.level:7}  {check.name}: {check.what}")
            if check.advice:
                console.out(f"{'':7}  -> {check.advice}")
        console.out(f"{counts['error']} errors, {counts['warning']} warnings")
    return 1 if counts["error"] else 0
