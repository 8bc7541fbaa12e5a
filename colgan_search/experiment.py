"""One graph and its settings in, one Outcome out. Knows neither Optuna nor the command line."""

import time
from pathlib import Path

import torch

from colgan_search.config import RuntimeSettings, StudyConfig, fingerprint
from colgan_search.errors import DeviceError, Diverged, GraphError
from colgan_search.evaluation.scores import Evaluator
from colgan_search.files import WorkFolder
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.datasets import load_images
from colgan_search.gan.networks import check_network
from colgan_search.gan.state import TrainingState
from colgan_search.gan.trainer import train
from colgan_search.gan.weights import save_generators
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import EpochScores, OnProgress, Outcome, Progress, Scores, ShouldStop
from colgan_search.seeds import derive_seed

DIVERGED_VALUE = 1.0
"""The floor of the inception score."""

GENERATORS_FILE = "generators.safetensors"


def check_config(config: StudyConfig) -> None:
    """ConfigError if the base network is unknown or cannot make such images or feature maps. Reads no data."""
    check_network(config.network, size=config.data.size, channels=config.data.channels, layers=config.transfer.layers)


def choose_device(runtime: RuntimeSettings, wanted: str | None = None) -> torch.device:
    """The device of `wanted` (auto, cpu, cuda or cuda:N), or else of the settings. DeviceError if it is not here."""
    name = wanted or runtime.device
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}; the devices are auto, cpu, cuda and cuda:N") from None
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r} is not supported; the devices are auto, cpu, cuda and cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"device {name!r} is asked for, but PyTorch finds no GPU on this machine. To go on: run this on a machine "
            "with a GPU, try the small study that needs none (--config digits), or force the CPU (--device cpu), "
            "which takes days per trial at the paper's size"
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"device {name!r} is not here; this machine has cuda:0..{torch.cuda.device_count() - 1}")
    return device


class Experiment:
    """Real images and extractor, loaded once; called for one graph after another."""

    def __init__(
        self,
        config: StudyConfig,
        work: WorkFolder,
        device: torch.device,
        should_stop: ShouldStop = lambda: False,
    ) -> None:
        check_config(config)
        self.config = config
        self.device = device
        self.real = load_images(config.data)
        self.evaluator = Evaluator(config.evaluation, self.real, work.cache, device, should_stop=should_stop)

    def __call__(
        self,
        graph: KnowledgeTransferGraph,
        seed: int,
        folder: Path,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> Outcome:
        """Trains `graph` from `seed`, or resumes it from `folder`, and scores its generators.

        `folder` holds the checkpoints, and at the end the generators. Raises Interrupted (checkpointed) and TrialFault
        (see `gan.trainer.train`); divergence is an outcome of value 1.0.
        """
        if graph.k != self.config.k:
            raise GraphError(f"graph {graph.to_text()} has k = {graph.k}, the study has k = {self.config.k}")
        checkpoint = CheckpointFile(folder, f"{fingerprint(self.config)}/{graph.to_text()}/{seed}")
        run = _Run(self, graph, seed, on_progress, should_stop)
        try:
            state = train(
                graph,
                self.real.images,
                self.config.network,
                self.config.transfer,
                self.config.training,
                self.config.runtime,
                seed=seed,
                device=self.device,
                checkpoint=checkpoint,
                on_start=run.on_start,
                on_epoch=run.on_epoch,
                should_stop=run.should_stop,
            )
            scores = run.score_at_end(state)
            save_generators(folder / GENERATORS_FILE, state.generators)
            return run.outcome(scores, None)
        except Diverged as diverged:
            return run.outcome(None, str(diverged))


class _Run:
    """What happens around one training: interim scores, progress, the clock."""

    def __init__(
        self,
        experiment: Experiment,
        graph: KnowledgeTransferGraph,
        seed: int,
        on_progress: OnProgress,
        should_stop: ShouldStop,
    ) -> None:
        self.experiment = experiment
        self.graph = graph
        self.seed = seed
        self.on_progress = on_progress
        self._asked_to_stop = should_stop
        self.started = time.monotonic()
        self.seconds_before = 0.0
        self.state: TrainingState | None = None
        self.history: list[EpochScores] = []

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of this attempt and, up to their last checkpoint, of earlier ones."""
        return self.seconds_before + time.monotonic() - self.started

    def should_stop(self) -> bool:
        """Passes the question on; asked before every iteration, so every checkpoint holds the seconds so far."""
        if self.state is not None:
            self.state.extra["seconds"] = self.seconds
        return self._asked_to_stop()

    def on_start(self, state: TrainingState) -> None:
        """Takes over what earlier attempts have left in the checkpoint."""
        self.state = state
        self.seconds_before = float(state.extra.get("seconds", 0.0))
        self.history = [EpochScores.model_validate(moment) for moment in state.extra.get("history", [])]
        self._tell(state, None)

    def on_epoch(self, state: TrainingState) -> None:
        """Scores now and then; the history is kept in the checkpoint."""
        every = self.experiment.config.evaluation.every_epochs
        scores = None
        if every is not None and state.epoch % every == 0 and state.epoch < state.epochs:
            scores = self._score(state, interim=True)
            self._remember(state, scores)
        self._tell(state, scores)

    def score_at_end(self, state: TrainingState) -> Scores:
        """The scores that count."""
        scores = self._score(state, interim=False)
        self._remember(state, scores)
        self._tell(state, scores)
        return scores

    def outcome(self, scores: Scores | None, diverged: str | None) -> Outcome:
        """The run's result."""
        return Outcome(
            graph=self.graph.to_text(),
            seed=self.seed,
            value=scores.value if scores is not None else DIVERGED_VALUE,
            scores=scores,
            history=tuple(self.history),
            diverged=diverged,
            iterations=self.state.iteration if self.state is not None else 0,
            seconds=self.seconds,
            device=_device_name(self.experiment.device),
        )

    def _score(self, state: TrainingState, *, interim: bool) -> Scores:
        return self.experiment.evaluator.score(
            state.generators,
            self.experiment.config.network.z,
            seed=derive_seed(self.seed, "evaluation", state.epoch, "interim" if interim else "final"),
            interim=interim,
            should_stop=self.should_stop,
        )

    def _remember(self, state: TrainingState, scores: Scores) -> None:
        self.history.append(EpochScores(epoch=state.epoch, scores=scores))
        state.extra["history"] = [moment.model_dump(mode="json") for moment in self.history]

    def _tell(self, state: TrainingState, scores: Scores | None) -> None:
        self.on_progress(
            Progress(
                epoch=state.epoch,
                epochs=state.epochs,
                iteration=state.iteration,
                iterations=state.iterations,
                scores=scores,
                evaluation=len(self.history) if scores is not None else None,
            )
        )


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
