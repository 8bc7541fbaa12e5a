"""A thousand workers in one process: the program's own `Worker` in simulated time, whose trainings only wait."""

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.simulated import Seen, simulated
from benchmarks.virtual_time import Life, VirtualTime
from colgan_search.errors import Interrupted
from colgan_search.file_names import WorkFolder
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import EpochScores, OnProgress, Outcome, Progress, ShouldStop
from colgan_search.search.proposing.propose import Proposer
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.worker import Worker
from tests.fake_worker import fake_scores, fake_value

STEP_SECONDS = 1.0
"""Between two moments at which a training has something new to tell."""
EPOCH_SECONDS = 12.0
"""As 200 epochs in 40 minutes take."""


class Training:
    """The experiment of one worker: takes its time, tells its progress every second, and has a value to be known by."""

    def __init__(self, virtual: VirtualTime, seconds: float, seen: Seen) -> None:
        self.virtual, self.seconds, self.seen = virtual, seconds, seen

    def __call__(
        self, graph: KnowledgeTransferGraph, seed: int, folder: Path, on_progress: OnProgress, should_stop: ShouldStop
    ) -> Outcome:
        self.seen.trainings += 1
        value = fake_value(graph.to_text(), seed)
        scores = fake_scores(value, graph.k)
        iterations = max(1, round(self.seconds / STEP_SECONDS))
        epochs = max(1, round(self.seconds / EPOCH_SECONDS))
        on_progress(Progress(epoch=1, epochs=epochs, iteration=0, iterations=iterations, scores=scores, evaluation=1))
        for done in range(1, iterations + 1):
            self.virtual.pause(self.seconds / iterations)
            if should_stop():
                raise Interrupted("asked to stop")
            epoch = max(1, epochs * done // iterations)
            on_progress(Progress(epoch=epoch, epochs=epochs, iteration=done, iterations=iterations))
        return Outcome(
            graph=graph.to_text(),
            seed=seed,
            value=value,
            scores=scores,
            history=(EpochScores(epoch=1, scores=scores),),
            iterations=iterations,
            seconds=self.seconds,
            device="simulated",
        )


class CrowdWorker(Worker):
    """A worker on a machine of its own."""

    def __init__(self, study: OpenStudy, training: Training, work: Path, number: int, drain: Any) -> None:
        super().__init__(study, training, WorkFolder(work / f"node-{number}"), "simulated", drain)
        self.process = replace(self.process, host=f"node-{number}", machine=f"simulated {number}")
        self.name = self.process.name
        self.proposer = Proposer(study, self.name, drain)


def crowd(
    study: OpenStudy, work: Path, *, workers: int, vanish: int, training: float, starts: float, seed: int
) -> tuple[VirtualTime, Seen]:
    """Lets `workers` work until the study is done, of which `vanish` vanish without a word.

    `training` = seconds of a training, `starts` = seconds in which all workers start, at chance; those that vanish do
    so at any time in the first one and a half trainings. The time's `now` is how long all of it took.
    """
    chance = random.Random(seed)
    virtual, seen = VirtualTime(time.time()), Seen()
    lives = [Life() for _ in range(workers)]
    begun = virtual.now
    with simulated(study, virtual, seen):
        for number, life in enumerate(lives):
            worker = CrowdWorker(study, Training(virtual, training, seen), work, number, virtual.threading.Event())
            virtual.spawn(worker.run, life, chance.uniform(0.0, starts))
        for life in chance.sample(lives, vanish):
            virtual.spawn(lambda gone=life: _vanish(gone, seen), Life(), chance.uniform(0.0, starts + 1.5 * training))
        virtual.run()
        ended = virtual.now
        virtual.bury()
    virtual.now = ended - begun
    return virtual, seen


def _vanish(life: Life, seen: Seen) -> None:
    seen.vanished += bool(life.tasks)  # else its work was done
    life.alive = False
