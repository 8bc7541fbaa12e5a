"""Options of `launch` that say who starts the workers, and how: the config's `cluster` section by other words."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from colgan_search.cli.configs import overridden, set_by
from colgan_search.config import StudyConfig, load_config, read_setting, with_overrides
from colgan_search.errors import ConfigError
from colgan_search.extensions.launchers import LauncherSettings

On = Annotated[
    str | None,
    typer.Option(
        "--on",
        help="Who starts the workers: local (this machine), slurm, kubernetes, skypilot, or a launcher of a package; "
        "else the config's cluster.kind.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for a scheduler's files, else one in the study's work folder.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Make the study and write a scheduler's files, but hand nothing in.")
]
Gpus = Annotated[int | None, typer.Option("--gpus", help="GPUs of a worker (cluster.gpus).", min=0)]
Minutes = Annotated[int | None, typer.Option("--minutes", help="Time limit of a worker (cluster.minutes).", min=1)]
Partition = Annotated[str | None, typer.Option("--partition", help="Slurm's partition (cluster.partition).")]
Account = Annotated[str | None, typer.Option("--account", help="Slurm's account (cluster.account).")]
Image = Annotated[str | None, typer.Option("--image", help="The workers' container image (cluster.image).")]
Namespace = Annotated[str | None, typer.Option("--namespace", help="Kubernetes' namespace (cluster.namespace).")]
Line = Annotated[
    list[str] | None,
    typer.Option("--line", help="A line of shell before the worker (cluster.lines); may be given again."),
]
Checkpoints = Annotated[
    str | None,
    typer.Option(
        "--checkpoints",
        help="Folder or address (s3://BUCKET/PATH) that all workers see: trials that are taken over go on from there.",
    ),
]
SetCluster = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="cluster.KEY=VALUE", help="A setting of the launcher; may be given again."),
]
ClusterOf = Annotated[
    str | None,
    typer.Option("--config", help="A study config whose cluster section says who starts the workers, and how."),
]


def on_cluster(config: StudyConfig, on: str | None) -> StudyConfig:
    """The config with this launcher; its `cluster` section stays if it is of that launcher. ConfigError if unknown."""
    if on is None or on == config.cluster.kind:
        return config
    return with_overrides(config, {"cluster": {"kind": on}}, "--on")


def with_cluster(config: StudyConfig, lines: Sequence[str] | None, **values: Any) -> StudyConfig:
    """The config with the options' values; ConfigError, which names the option, for one that its launcher has not."""
    named = [(f"--{key}", f"cluster.{key}", value) for key, value in values.items()]
    return overridden(config, *named, ("--line", "cluster.lines", list(lines) if lines else None))


def section(
    source: str | None, on: str | None, settings: Sequence[str] | None, lines: Sequence[str] | None, **values: Any
) -> LauncherSettings | None:
    """The `cluster` section of the config `source` with what options say, for studies that have another config.

    None if nothing is said at all; ConfigError as `with_cluster`, and for a `--set` of anything else.
    """
    if source is None and on is None and not settings and not lines and all(one is None for one in values.values()):
        return None
    for text in settings or ():
        if not read_setting(text, "--set")[0].startswith("cluster."):
            raise ConfigError(f"--set {text[:80]}: a confirmation has its search's config; only cluster.KEY can be set")
    config = load_config("digits" if source is None else source)
    return with_cluster(set_by(on_cluster(config, on), settings), lines, **values).cluster


def words(settings: LauncherSettings) -> list[str]:
    """The same section as options of a command line; the usual settings are left out."""
    usual = type(settings)(kind=settings.kind)
    found = [] if settings.kind == "local" else ["--on", settings.kind]
    if settings.workers is not None:
        found += ["--workers", str(settings.workers)]
    for key, value in settings.model_dump(mode="json", exclude={"kind", "workers"}).items():
        if value != usual.model_dump(mode="json")[key]:
            found += ["--set", f"cluster.{key}={json.dumps(value)}"]
    return found
