"""The files of a scheduler on their way to disk: what they are made from, and the password beside them."""

import os
import secrets
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from colgan_search.config import StudyConfig
from colgan_search.extensions.launchers import ClusterLauncher, Order
from colgan_search.files import PRIVATE_FILE, make_private, write_text
from colgan_search.search.database.urls import for_other_machines

SECRETS = ("COLGAN_STORAGE", "PGPASSWORD", "COLGAN_DASHBOARD_PASSWORD")
"""Variables that schedulers would keep with a job, or hand on to its processes."""


def order(config: StudyConfig, study: str, storage: str | None, work: Path, out: Path, trials: int) -> Order:
    """What the files say; `storage` as a person gives it. StorageError for one that other machines cannot use."""
    own = {"--data-root": config.data.root, "--weights": config.evaluation.weights}
    return Order(
        study=study,
        storage=None if storage is None else for_other_machines(storage)[0],
        secret=None,
        work=str(work),
        out=str(out),
        python=sys.executable,
        config=yaml.safe_dump(config.model_dump(mode="json", exclude={"cluster"}), sort_keys=False),
        trials=trials,
        outage_minutes=config.service.outage_minutes,
        own_files={option: path for option, path in own.items() if path is not None},
    )


def write(launcher: ClusterLauncher, settings: object, wanted: Order, storage: str | None) -> list[Path]:
    """Writes the files, and the password that the storage or PGPASSWORD has into one of its own, of mode 0600."""
    out = Path(wanted.out)
    for folder in (out, *(out / name for name in launcher.folders)):
        make_private(folder)
    written = []
    password = None if storage is None else for_other_machines(storage)[1]
    if password is not None:
        secret = out / launcher.secret_name
        _write_private(secret, launcher.secret_text(password))
        written.append(secret)
        wanted = replace(wanted, secret=str(secret))
    for name in launcher.random_secrets(settings):
        if not (out / name).exists():  # the cluster may have been told the one that is there
            _write_private(out / name, secrets.token_urlsafe(24))
        written.append(out / name)
    for name, text in launcher.files(settings, wanted).items():
        write_text(out / name, text)
        written.append(out / name)
    return written


def without_secrets() -> Mapping[str, str]:
    """This process's environment, for a scheduler's program."""
    return {name: value for name, value in os.environ.items() if name not in SECRETS}


def pgpass(password: str) -> str:
    """A line of libpq's password file: for any host and user, as a pooler may stand before the server."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n"


def _write_private(path: Path, text: str) -> None:
    """Never readable by others, not for a moment; whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "w") as file:
        file.write(text)
    temporary.replace(path)
