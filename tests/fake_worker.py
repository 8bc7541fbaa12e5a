"""A worker process whose experiment only waits; everything else is real. For tests of the search alone.

Usage: python -m tests.fake_worker STUDY WORK_DIR SECONDS [ORDERS], with the storage in COLGAN_STORAGE.
"""

import hashlib
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from colgan_search import logs
from colgan_search.errors import ColganError, Interrupted, Pruned, TrialFault
from colgan_search.file_names import WorkFolder
from colgan_search.files import write_text
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import (
    Cut,
    EpochScores,
    GeneratorScore,
    OnProgress,
    Outcome,
    Progress,
    Protocol,
    Scores,
    ShouldStop,
)
from colgan_search.search.database.opening import open_storage
from colgan_search.search.study.opening import open_study
from colgan_search.search.worker import Worker

PROTOCOL = Protocol(
    extractor="classifier", weights_digest="0" * 16, resolution=16, channels=1, images=10, splits=1, reference=None
)


def fake_value(graph: str, seed: int) -> float:
    """A score in [1, 10) that anybody can compute again from what the database records."""
    return 1.0 + int.from_bytes(hashlib.sha256(f"{graph}|{seed}".encode()).digest()[:4], "big") / 2**32 * 9.0


class FakeExperiment:
    """Tells `fake_value`, waits `seconds`, looks every 20 ms whether it should stop, and returns the value.

    `orders` changes that: `fault` faults always; `fault-on:N` faults on trials whose run folder is number N;
    `hang-once:FILE` hangs if FILE is not there yet, after making it; `endless-from:N` never ends the trials from
    number N on, so that a test can interrupt one of them for certain; `die-on:N` kills its own process on trial N;
    `write` writes a file into the run folder, as a training does;
    `until:FILE` ends no trial before FILE is there, so that a test can do something in the middle of one;
    `steps:N` tells N interim scores, a step towards the value each, `seconds` apart, and ends when it is pruned;
    `deaf:N` the same, but it does not hear that it is pruned, and waits for ever before the last one.
    """

    def __init__(self, seconds: float, orders: str = "") -> None:
        self.seconds = seconds
        self.orders = orders

    def __call__(
        self, graph: KnowledgeTransferGraph, seed: int, folder: Path, on_progress: OnProgress, should_stop: ShouldStop
    ) -> Outcome:
        started = time.monotonic()
        order, _, what = self.orders.partition(":")
        if order == "fault" or (order == "fault-on" and folder.name == f"trial-{int(what):05d}"):
            raise TrialFault("the fake experiment was told to fault")
        if order == "die-on" and folder.name == f"trial-{int(what):05d}":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "write":
            write_text(folder / "checkpoint.pt", "whatever a training leaves")
        if order == "hang-once" and not Path(what).exists():
            Path(what).touch()
            threading.Event().wait()
        value = fake_value(graph.to_text(), seed)
        if order in ("steps", "deaf"):
            return self._in_steps(graph, seed, int(what), on_progress, should_stop)
        scores = fake_scores(value, graph.k)
        on_progress(Progress(epoch=1, epochs=1, iteration=1, iterations=1, scores=scores, evaluation=1))
        endless = order == "endless-from" and int(folder.name.removeprefix("trial-")) >= int(what)
        while endless or time.monotonic() - started < self.seconds or _held(order, what):
            if should_stop():
                raise Interrupted("asked to stop")
            time.sleep(0.02)
        return Outcome(
            graph=graph.to_text(),
            seed=seed,
            value=value,
            scores=scores,
            history=(EpochScores(epoch=1, scores=scores),),
            iterations=1,
            seconds=time.monotonic() - started,
            device="cpu",
        )

    def _in_steps(
        self,
        graph: KnowledgeTransferGraph,
        seed: int,
        steps: int,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> Outcome:
        value = fake_value(graph.to_text(), seed)
        history: list[EpochScores] = []
        pruned: Pruned | None = None
        while len(history) < steps and pruned is None:
            epoch = len(history) + 1
            scores = fake_scores(fake_interim(value, epoch, steps), graph.k)
            history.append(EpochScores(epoch=epoch, scores=scores))
            on_progress(
                Progress(epoch=epoch, epochs=steps, iteration=epoch, iterations=steps, scores=scores, evaluation=epoch)
            )
            until = time.monotonic() + self.seconds
            last = self.orders.startswith("deaf") and epoch == steps - 1
            while last or time.monotonic() < until:
                try:
                    if should_stop():
                        raise Interrupted("asked to stop")
                except Pruned as said:
                    if not self.orders.startswith("deaf") and said.evaluation <= len(history):
                        pruned = said
                        break
                time.sleep(0.02)
        cut = None
        if pruned is not None:
            history = history[: pruned.evaluation]
            cut = Cut(evaluation=pruned.evaluation, epoch=pruned.evaluation)
        return Outcome(
            graph=graph.to_text(),
            seed=seed,
            value=history[-1].scores.value,
            scores=None if cut else history[-1].scores,
            history=tuple(history),
            cut=cut,
            iterations=1,
            seconds=1.0,
            device="cpu",
        )


def fake_interim(value: float, step: int, steps: int) -> float:
    """The interim score at a step of so many, which grows to `value` at the last."""
    return 1.0 + (value - 1.0) * step / steps


def fake_scores(value: float, k: int) -> Scores:
    """Of k generators, the first of which has that value."""
    means = [value if i == 0 else 1.0 for i in range(k)]
    return Scores(
        generators=tuple(GeneratorScore(metrics={"is_mean": mean, "is_std": 0.0}) for mean in means), protocol=PROTOCOL
    )


def _held(order: str, what: str) -> bool:
    return order == "until" and not Path(what).exists()


def serve(
    url: str, study_name: str, work_dir: Path, seconds: float, orders: str = "", log_file: Path | None = None
) -> None:
    """A worker process's whole life: drains on signals, ends the process with a failure's exit code."""
    logs.set_up(log_file, terminal=log_file is None)
    logging.getLogger("colgan_search").setLevel(logging.INFO)
    drain = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, lambda *_: drain.set())
    try:
        storage = open_storage(url)
        study = open_study(storage, study_name)
        worker = Worker(study, FakeExperiment(seconds, orders), WorkFolder(work_dir), "fake", drain)
        logs.set_worker(worker.name)
        worked = worker.run()
        storage.close()
    except ColganError as error:
        logging.getLogger("colgan_search").error("%s: %s", type(error).__name__, error)
        sys.exit(error.exit_code)
    if log_file is None:
        print(f"finished={worked.finished} accepted={worked.accepted}")


if __name__ == "__main__":
    serve(os.environ["COLGAN_STORAGE"], sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
