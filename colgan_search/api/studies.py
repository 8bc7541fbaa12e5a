"""A study from Python: launched, opened, waited for, drained, read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from colgan_search.api.launching import LaunchRequest, prepare_launch
from colgan_search.api.progress_bar import shown_progress
from colgan_search.api.running import BackgroundRun
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, opened_study, study_of, work_folder
from colgan_search.config import StudyConfig, load_config, with_overrides
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Outcome, Scores
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.budget.workers import WorkerRow
from colgan_search.search.care.monitor import Monitor
from colgan_search.search.ranking.naming import named_run
from colgan_search.search.study import results as records
from colgan_search.search.study.opening import OpenStudy


@dataclass(frozen=True)
class Trial:
    """One trial of a study: one graph, trained once with one seed."""

    number: int
    """From 0."""
    state: str
    """`running`, `waiting` (given back, to be gone on with), `complete`, `pruned` or `fail`."""
    value: float | None
    """Of the study's objective: the maximum inception score over the generators, or another (`search.objective`).

    Its worst, 1.0 for the inception score, if the trial diverged; None until it is complete.
    """
    graph: KnowledgeTransferGraph | None
    """None only if its worker died before it was chosen."""
    scores: Scores | None
    """Of every generator; None until the trial is complete, and if it diverged."""
    seed: int | None
    """Of weights, images and noise; the same graph, config and seed give the same scores on one type of processor."""
    seconds: float | None
    """Wall-clock seconds of the training and its scoring."""
    worker: str | None
    """Host, process number and a token of who trained it."""
    diverged: str | None
    """Where NaN or Inf was met; None if nowhere."""
    started: str | None
    """UTC, ISO 8601."""
    finished: str | None
    """As `started`."""
    classifier_accuracy: float | None
    """Held-out accuracy, 0..1, of the classifier that scored; None with another extractor."""
    pruned_at: int | None = None
    """The epoch after which the pruner ended it or, if it is complete, would have; None if it would not."""
    interim: float | None = None
    """Of a pruned trial, the best interim value: no final score, and not to be ranked with these."""
    reused_from: str | None = None
    """`STUDY NUMBER` of the study that trained it, if it was taken over."""


def _trial(record: records.TrialRecord) -> Trial:
    """The trial of a record. StudyError if its graph cannot be read."""
    return Trial(
        number=record.number,
        state=record.state,
        value=record.value,
        graph=None if record.graph is None else records.best_graph(record),
        scores=record.scores,
        seed=record.seed,
        seconds=record.seconds,
        worker=record.worker,
        diverged=record.diverged,
        started=record.started,
        finished=record.finished,
        classifier_accuracy=record.classifier_accuracy,
        pruned_at=None if record.cut is None else record.cut.epoch,
        interim=record.interim,
        reused_from=None if (origin := record.reused_from) is None else f"{origin.study} {origin.number}",
    )


@dataclass(frozen=True)
class Status:
    """How a study stands at one moment."""

    budget: Budget
    workers: tuple[WorkerRow, ...]
    """Of all machines; without those that have left."""
    best: Trial | None
    """None as long as no trial is complete."""
    seconds_left: float | None
    """An estimate; None before the first epochs."""
    seconds_spread: float | None
    """Standard deviation of `seconds_left`; None as long as only one time is known."""
    classifier_accuracy: float | None
    """Held-out accuracy, 0..1, of the classifier that scores; None with another extractor, or before it is trained."""


class Study:
    """A study in its database, as `launch` and `open_study` give it; also a context manager that closes it.

    Whatever reads the database raises StudyError if the study was deleted or changed by hand.
    """

    def __init__(self, opened: OpenStudy, run: BackgroundRun | None = None) -> None:
        self._opened = opened
        self._run = run
        self._monitor = Monitor(opened)

    @property
    def name(self) -> str:
        """Its name in the database."""
        return self._opened.name

    @property
    def config(self) -> StudyConfig:
        """What is searched, and how."""
        return self._opened.config

    def status(self) -> Status:
        """How it stands now."""
        now = self._monitor.snapshot()
        best = None if now.best is None else _trial(now.best)
        return Status(now.budget, now.workers, best, now.seconds_left, now.seconds_spread, now.classifier_accuracy)

    def best(self) -> Trial:
        """The best run of the graph that is estimated best; of a confirmation, of its winner. StudyError if none is
        complete.

        `trials` has the luckiest single run of all, the paper's way.
        """
        return _trial(named_run(self._opened))

    def trials(self) -> list[Trial]:
        """All trials that were ever begun, in the order of their numbers."""
        return [_trial(record) for record in records.trials(self._opened)]

    def outcome(self, number: int) -> Outcome | None:
        """The whole result of trial `number` with its scores over the epochs; None as long as it has none."""
        return records.outcome(self._opened, number)

    def wait(self, progress: bool = False) -> "Study":
        """Waits until the workers that `launch` started here have ended; at once if it started none. This study.

        KeyboardInterrupt drains them and goes on up when they have left; a second one kills them. Interrupted if they
        were drained; BadInput or ColganError, with their last words, if they failed. `progress` shows a bar.
        """
        if self._run is not None:
            with shown_progress(self._monitor if progress else None) as look:
                self._run.wait(look).require_finished()
        return self

    def drain(self) -> None:
        """Has the workers that `launch` started here checkpoint and leave, and waits until they have.

        `launch` with the same words goes on from there. Does nothing if none of them works.
        """
        if self._run is not None:
            self._run.drain()
            self._run.join()

    def close(self) -> None:
        """Drains the workers that were started here, and closes the connections to the database."""
        self.drain()
        self._opened.storage.close()

    def __enter__(self) -> "Study":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Study {self.name!r} in {self._opened.storage.name}>"


def launch(
    config: StudyConfig | str | Path = "cifar10",
    *,
    trials: int | None = None,
    study: str | None = None,
    storage: str | None = None,
    workers: int | None = None,
    device: str | None = None,
    workers_per_gpu: int | str | None = None,
    overrides: Mapping[str, Any] | None = None,
    reuse: Sequence[str] = (),
    work_dir: str | Path = DEFAULT_WORK_DIR,
    wait: bool = True,
    progress: bool = False,
) -> Study:
    """Begins, resumes or extends a search with worker processes of this machine, and waits until it is done.

    From a notebook, a script or any thread; nothing has to stand behind `if __name__ == "__main__"`.

    Args:
        config: a config, a YAML file, or the name of a shipped one.
        trials: the study's total number of results, at least 1; None = the config's, or the study's own.
        study: its name; None = the config's.
        storage: URL of the database; None = COLGAN_STORAGE, or an SQLite file in the work folder.
        workers: worker processes; None = one per GPU, or per core without a GPU; 0 = only make the study.
        device: auto, cpu, cuda or cuda:N instead of the config's.
        workers_per_gpu: workers that share each GPU, or `auto`: as many as its memory takes; None = one.
        overrides: key path -> value on top of the config: `{"training.epochs": 2}`.
        reuse: names of other studies of the database, whose graphs, measured in the same way, are taken over: they are
            shown to the sampler and ranked, and take nothing from `trials`.
        work_dir: folder for checkpoints, caches, logs and the SQLite file.
        wait: False = return at once; see `Study.wait` and `Study.drain`. The workers drain if this process ends.
        progress: show a bar while waiting, on standard error or in the notebook.

    Raises:
        BadInput: and its kinds: what is wrong; nothing was begun.
        KeyboardInterrupt: after Ctrl-C (a notebook's stop), when the workers have left, checkpointed. The same call
            goes on from there. See `Study.wait` for what else ends it.
    """
    settings = config if isinstance(config, StudyConfig) else load_config(config)
    if overrides:
        settings = with_overrides(settings, overrides)
    launched = prepare_launch(
        LaunchRequest(
            settings,
            trials,
            study,
            storage,
            Path(work_dir),
            workers,
            device,
            reuse=tuple(reuse),
            workers_per_gpu=workers_per_gpu,
        )
    )
    opened = launched.study
    idle = not launched.devices or opened.slots.budget().finished
    started = Study(opened, None if idle else BackgroundRun(opened, launched.start_workers()))
    if not wait:
        return started
    try:
        return started.wait(progress)
    except BaseException:
        started.close()  # nobody else has it
        raise


def open_study(
    name: str | None = None, *, storage: str | None = None, work_dir: str | Path = DEFAULT_WORK_DIR
) -> Study:
    """A study of the database, to be read; None = its only one. StorageError or StudyError if it is not there."""
    return Study(study_of(storage, work_folder(Path(work_dir)), name, writing=False))


def results(
    study: str | None = None, *, storage: str | None = None, work_dir: str | Path = DEFAULT_WORK_DIR
) -> list[Trial]:
    """The complete trials of a study, best first; the earlier one first among equals. See `open_study`."""
    with opened_study(storage, work_folder(Path(work_dir)), study, writing=False) as opened:
        return [_trial(record) for record in records.completed(opened)]
