"""What dead workers and studies of the past have left in the work folder, beside the run folders."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

from colgan_search.errors import StudyError
from colgan_search.evaluation.classifier_card import Card, card_path
from colgan_search.file_names import (
    CLASSIFIERS,
    STATISTICS,
    STATISTICS_PREFIX,
    UNFINISHED,
    UNREADABLE_SUFFIX,
    WorkFolder,
)
from colgan_search.logs import worker_of_line
from colgan_search.search.budget.workers import GONE, Registry
from colgan_search.search.care.housekeeping import Leftover, size_of
from colgan_search.search.database.storage import Storage
from colgan_search.search.study import results
from colgan_search.search.study.opening import UID, OpenStudy, attributes_of, open_study, study_names

QUIET_SECONDS = 3600.0
"""A log that was written to in this time is not touched, nor is a half-written file so young."""

ABANDONED_SECONDS = 86_400.0
"""After so long without a line, a log that names no worker is taken for one of a worker that never began."""

STATISTICS_NAME = re.compile(STATISTICS_PREFIX + r"[\w-]+-(?P<weights>[0-9a-f]+)-[0-9a-f]+")


def of_spool(study: OpenStudy, work: WorkFolder) -> list[Leftover]:
    """Files that were set aside as unreadable, and half-written ones of dead processes. Never a result that waits."""
    folder = work.spool(study.name)
    found = [(path, "not a readable result") for path in folder.glob(f"*{UNREADABLE_SUFFIX}")]
    found += [(path, "half-written") for path in folder.glob(UNFINISHED) if _age(path) > QUIET_SECONDS]
    return [Leftover(path, size_of(path), why) for path, why in sorted(found)]


def of_logs(study: OpenStudy, work: WorkFolder) -> list[Leftover]:
    """Log files of workers that have left or died."""
    registry = Registry(study.storage, study.uid)
    rows, known = registry.all(), registry.names()
    gone = {row.worker for row in rows if row.state in GONE or row.process.is_dead_here()}
    groups: dict[str, list[Path]] = {}
    for path in work.logs(study.name).glob("*"):
        if path.is_file():
            groups.setdefault(re.sub(r"\.(log(\.\d+)?|err)$", "", path.name), []).append(path)
    found = []
    for _, paths in sorted(groups.items()):
        quiet = min(map(_age, paths))
        worker = _last_worker(paths)
        if quiet > QUIET_SECONDS and worker in gone:
            why = f"worker {worker} is gone"
        elif quiet > ABANDONED_SECONDS and worker not in known:
            why = "its worker is not known to the study"
        else:
            continue
        found += [Leftover(path, size_of(path), why) for path in sorted(paths)]
    return found


def _last_worker(paths: list[Path]) -> str | None:
    """The worker that wrote last to a group of log files."""
    for path in sorted((path for path in paths if ".log" in path.name), key=_age):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        for line in reversed(lines):
            if (worker := worker_of_line(line)) is not None:
                return worker
    return None


def of_caches(study: OpenStudy, work: WorkFolder) -> list[Leftover]:
    """Classifiers and reference statistics by which no study of this database has been measured.

    Both the study's own and those that `train` and `evaluate` share. None at all as long as a study of the database
    has no result yet, or cannot be read: it may need any of them.
    """
    used: set[str] = set()
    for name in study_names(study.storage):
        digests = _digests(study.storage, name)
        if digests is None:
            return []
        used |= digests
    cached = [*_cached(work.study(study.name) / work.cache.name), *_cached(work.cache)]
    why = "no study of this database was measured by it"
    return [Leftover(path, size_of(path), why) for path, digest in cached if digest not in used]


def _digests(storage: Storage, name: str) -> set[str] | None:
    """The weights digests in the protocols of a study's results; None if they are not known."""
    try:
        if UID not in attributes_of(storage, name):
            return set()  # not made by colgan-search
        done = results.completed(open_study(storage, name))
    except StudyError:
        return None
    return {str(trial.protocol["weights_digest"]) for trial in done if trial.protocol} or None


def _cached(cache: Path) -> Iterator[tuple[Path, str]]:
    """Every file of the cache with the digest of its extractor's weights; half-written and broken ones with none."""
    for path in sorted(cache.glob(STATISTICS)):
        match = STATISTICS_NAME.match(path.name)
        yield path, match["weights"] if match else ""
    for path in sorted(cache.glob(CLASSIFIERS)):
        card = card_path(path)
        try:
            digest = Card.model_validate_json(card.read_bytes()).weights_digest
        except (OSError, ValueError):
            digest = ""
        yield path, digest
        if card.exists():
            yield card, digest
    for path in sorted(cache.glob(UNFINISHED)):
        if _age(path) > QUIET_SECONDS:
            yield path, ""


def _age(path: Path) -> float:
    """Seconds since the file was last written to; 0 if it is gone."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0
