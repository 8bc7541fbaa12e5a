"""How much a database grows by what trials leave for the dashboard: a real worker and pictures, an instant experiment.

    python -m benchmarks artifacts --trials 1500

on a PostgreSQL of its own (that of the tests), at the paper's size: k = 3, 64 x 64 x 3. The pictures are drawn as of
trained generators, some dozens of them, and then used again and again; the images are noise of 32 x 32 made larger,
which costs JPEG more than CIFAR-10's. `--none` is the same without pictures, notes and plots.
"""

import argparse
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.benchmark import Benchmark
from benchmarks.metering import metering
from colgan_search.api.trial_pictures import SAMPLES, TrialPictures
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.images import to_bytes
from colgan_search.records import EpochScores, OnProgress, Outcome, ShouldStop
from colgan_search.search.artifacts.keeping import Picture
from colgan_search.search.artifacts.stores import store_of
from colgan_search.search.care.showing import Showcase
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import create_or_open
from colgan_search.search.worker import Worker
from tests.fake_worker import fake_interim, fake_scores, fake_value
from tests.fleet import fake_config, rows_of
from tests.postgres import Postgres

K, EPOCHS, EVERY = 3, 200, 10
DRAWN = 40
"""Trials whose pictures are really drawn."""


class _Noise(TrialPictures):
    def _images(self, folder: Path) -> list[np.ndarray]:
        noise = torch.rand(K * SAMPLES, 3, 32, 32) * 2 - 1
        large = to_bytes(torch.nn.functional.interpolate(noise, size=64, mode="bilinear"))
        return [part.permute(0, 2, 3, 1).numpy() for part in large.split(SAMPLES)]


class _Drawn:
    """Draws the first ones, and then gives one of these again."""

    def __init__(self, draw: TrialPictures) -> None:
        self.draw, self.random = draw, random.Random(0)
        self.pictures: list[Any] = []
        self.seconds: list[float] = []

    def __call__(self, number: int, outcome: Outcome, folder: Path) -> list[Picture]:
        if len(self.pictures) < DRAWN:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / GENERATORS_FILE).touch()
            began = time.process_time()
            self.pictures.append(list(self.draw(number, outcome, folder)))
            self.seconds.append(time.process_time() - began)
            return self.pictures[-1]  # type: ignore[no-any-return]
        return self.random.choice(self.pictures)  # type: ignore[no-any-return]


def experiment(
    graph: KnowledgeTransferGraph, seed: int, folder: Path, on_progress: OnProgress, should_stop: ShouldStop
) -> Outcome:
    """An instant one, with as many interim scores as the paper's trainings have here."""
    value = fake_value(graph.to_text(), seed)
    steps = EPOCHS // EVERY
    moments = [
        EpochScores(epoch=step * EVERY, scores=fake_scores(fake_interim(value, step, steps), K))
        for step in range(1, steps + 1)
    ]
    last = moments[-1].scores
    return Outcome(
        graph=graph.to_text(),
        seed=seed,
        value=value,
        scores=last,
        variants={"last": last},
        history=tuple(moments),
        iterations=1,
        seconds=3600.0,
        device="NVIDIA H100 80GB HBM3",
    )


def growth(url: str, trials: int, shown: bool, work: Path) -> dict[str, Any]:
    """Lets one worker do so many trials; what the database has grown by, and what it cost."""
    config = fake_config("growth", k=K, search={"sampler": "random"}, service={"lease_seconds": 600.0})
    study = create_or_open(open_storage(url, create=True), config, "growth", trials)
    size = "SELECT pg_database_size(current_database())"
    ((before,),) = rows_of(url, size)
    drawn = _Drawn(_Noise(config))
    showcase = Showcase(study, store_of(config.artifacts, study.storage, study.uid), drawn) if shown else None
    began = time.process_time()
    with metering() as counts:
        Worker(study, experiment, WorkFolder(work), "cpu", threading.Event(), showcase=showcase).run()
    seconds = time.process_time() - began
    ((after,),) = rows_of(url, size)
    tables = rows_of(
        url, "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables ORDER BY 2 DESC LIMIT 6"
    )
    ((kept,),) = rows_of(url, "SELECT count(DISTINCT trial_number) FROM colgan_artifacts WHERE bytes > 0")
    ((live,),) = rows_of(url, "SELECT coalesce(sum(bytes), 0) FROM colgan_artifacts")
    study.storage.close()
    return {
        "trials": trials,
        "shown": shown,
        "growth_mb": round((after - before) / 1e6, 1),
        "tables_mb": {name: round(total / 1e6, 1) for name, total in tables},
        "pictures_kept_mb": round(live / 1e6, 1),
        "trials_with_pictures": kept,
        "kilobytes_per_trial": round(sum(len(p.content) for p in drawn.pictures[0]) / 1e3, 1) if drawn.pictures else 0,
        "cpu_ms_to_draw": round(1e3 * statistics.median(drawn.seconds)) if drawn.seconds else 0,
        "cpu_seconds": round(seconds, 1),
        "statements_per_trial": round(counts.statements / trials, 1),
    }


def options(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--trials", type=int, default=1500)
    parser.add_argument("--none", action="store_true", help="without pictures, notes and plots")


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """The growth of a database of its own."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        server = Postgres(Path(folder) / "postgres")
        server.start()
        try:
            return growth(server.new_database(), asked.trials, not asked.none, Path(folder) / "work")
        finally:
            server.stop()


def lines(result: dict[str, Any]) -> Iterator[str]:
    """In words."""
    yield f"{result['trials']} trials: the database grew by {result['growth_mb']} MB, {result['tables_mb']}"
    drawing = f"drawing takes {result['cpu_ms_to_draw']} ms of CPU time"
    yield f"{result['trials_with_pictures']} trials keep pictures; {drawing}"


ARTIFACTS = Benchmark(
    "artifacts",
    "how much a database grows by what trials leave for the dashboard",
    options,
    measure,
    lines,
    device=False,
    packages=("torch", "sqlalchemy", "psycopg2-binary"),
)
