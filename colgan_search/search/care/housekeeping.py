"""Run folders of finished trials: checkpoints go, the generators of the best trials of this machine stay."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from colgan_search.file_names import (
    CHECKPOINTS,
    FILM_FILE,
    FRAMES_FILE,
    STRIP_FILE,
    TELEMETRY_FILE,
    TRIAL_PREFIX,
    UNFINISHED,
    WorkFolder,
)
from colgan_search.gan.checkpoint_store import CheckpointStore
from colgan_search.search.optuna_private import trial_rows
from colgan_search.search.study.opening import OpenStudy

RUN = re.compile(rf"{TRIAL_PREFIX}(\d{{1,9}})", re.ASCII)


@dataclass(frozen=True)
class Leftover:
    """A file that nobody needs any more."""

    path: Path
    bytes: int
    why: str


def tidy(study: OpenStudy, work: WorkFolder) -> None:
    """Removes what finished trials of this study need no more; see `of_trials`."""
    remove(of_trials(study, work))


def tidy_store(study: OpenStudy, store: CheckpointStore) -> None:
    """Removes what trials that have ended, wherever that was, have left where checkpoints travel."""
    numbers = {int(match[1]): name for name in store.names() if (match := RUN.fullmatch(name)) is not None}
    with study.storage.engine.connect() as db:
        ended = trial_rows.ended(db, trial_rows.study_id(db, study.name, study.uid), sorted(numbers))
    for trial in ended:
        store.remove(numbers[trial.number])


def of_trials(study: OpenStudy, work: WorkFolder) -> list[Leftover]:
    """What finished trials have left: all checkpoints, generators and telemetry of all but the best, all of the failed
    and the pruned.

    Keeps the generators of the `runtime.keep_best` best trials among those that ran here. A trial
    that is not finished is not looked at.
    """
    folders = _run_folders(study, work)
    with study.storage.engine.connect() as db:
        number = trial_rows.study_id(db, study.name, study.uid)
        ended = trial_rows.ended(db, number, sorted(folders))
    found: list[Leftover] = []
    kept = 0
    rank = study.config.objective.rank
    for trial in sorted(ended, key=lambda trial: (0.0 if trial.value is None else rank(trial.value), trial.number)):
        folder = folders[trial.number]
        if trial.value is None:
            why = "was pruned" if trial.pruned else "has failed"
            found += _files(folder, ("*", UNFINISHED), f"trial {trial.number} {why}")
            continue
        found += _files(folder, (CHECKPOINTS, UNFINISHED), f"trial {trial.number} is complete")
        why = f"trial {trial.number} is not among the best {study.config.runtime.keep_best} of this machine"
        weights = _files(folder, ("*.safetensors",), why)
        telemetry = _files(folder, (TELEMETRY_FILE, FRAMES_FILE, STRIP_FILE, FILM_FILE), why)
        if kept < study.config.runtime.keep_best:
            kept += bool(weights)  # a trial that was finished elsewhere has none here
        else:
            found += [*weights, *telemetry]
    return found


def _run_folders(study: OpenStudy, work: WorkFolder) -> dict[int, Path]:
    """Number of the trial -> its run folder, for those that are here: few of many, as empty ones are removed."""
    texts = (path.name.removeprefix(TRIAL_PREFIX) for path in work.study(study.name).glob(f"{TRIAL_PREFIX}*"))
    folders = {int(text): work.run(study.name, int(text)) for text in texts if text.isascii() and text.isdecimal()}
    return {number: folder for number, folder in folders.items() if folder.is_dir()}


def _files(folder: Path, patterns: Iterable[str], why: str) -> list[Leftover]:
    paths = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return [Leftover(path, size_of(path), why) for path in paths]


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if another process has removed it meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def remove(leftovers: Iterable[Leftover]) -> None:
    """Deletes the files, and the folders that are empty then. What is gone already is no error."""
    folders = set()
    for leftover in leftovers:
        leftover.path.unlink(missing_ok=True)
        folders.add(leftover.path.parent)
    for folder in folders:
        with suppress(OSError):  # not empty, or another worker was quicker
            folder.rmdir()
