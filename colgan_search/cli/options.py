"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

MAX_TRIALS = 10_000_000
"""As `search.trials` in a config."""

Config = Annotated[
    str, typer.Option("--config", help="A study config: a YAML file, or the name of a shipped one (digits, cifar10).")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Another value for a key of the config, e.g. training.epochs=20 or search.gates=[through, cutoff]; may be "
        "given again.",
    ),
]
Storage = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="The study's database: postgresql://USER:PASSWORD@HOST/DATABASE or sqlite:///FILE.db. Without it "
        "COLGAN_STORAGE, or an SQLite file in the work folder. A password is safer in COLGAN_STORAGE or ~/.pgpass.",
    ),
]
Study = Annotated[
    str | None,
    typer.Option(
        "--study", help="The study's name. Without it the config's, or the database's only one, or only search."
    ),
]
WorkDir = Annotated[Path, typer.Option("--work-dir", help="Folder for checkpoints, caches, logs and the SQLite file.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or cuda:N instead of the config's.")]
Ema = Annotated[
    bool, typer.Option("--ema", help="The moving averages of the weights (of a training with training.ema).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
DataRoot = Annotated[
    str | None,
    typer.Option(
        "--data-root",
        help="This machine's folder of the images (data.root in the config). One that only the study's database names "
        "is read if it lies among the downloads, or in a folder of COLGAN_DATA in the environment.",
    ),
]
SkipBroken = Annotated[
    bool,
    typer.Option(
        "--skip-broken",
        help="Leave out images that cannot be read, and links to folders, and say how many (data.skip_broken).",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights", help="This machine's file of Inception weights (evaluation.weights); as with --data-root."
    ),
]
