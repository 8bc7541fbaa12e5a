"""One graph and its settings in, one Outcome out. Knows neither Optuna nor the command line."""

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from colgan_search.bundles.weights import save_generators
from colgan_search.config import StudyConfig, fingerprint
from colgan_search.errors import Diverged, GraphError, Pruned
from colgan_search.evaluation.classifier_files import require_classes
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment.device import choose_device, tf32
from colgan_search.experiment.run import Run
from colgan_search.experiment.telemetry import OnRow
from colgan_search.extensions.extractors import EXTRACTORS
from colgan_search.file_names import AVERAGES_FILE, GENERATORS_FILE, WorkFolder
from colgan_search.gan.building import check_settings
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.checkpoint_store import CheckpointStore
from colgan_search.gan.datasets.loading import load_images
from colgan_search.gan.self_check import self_check
from colgan_search.gan.shared_checkpoint import SharedCheckpoint
from colgan_search.gan.state import TrainingState
from colgan_search.gan.trainer import deterministic, require_images, train
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.images import RealImages
from colgan_search.records import OnProgress, Outcome, ShouldStop

log = logging.getLogger(__name__)

__all__ = [
    "AVERAGES_FILE",
    "GENERATORS_FILE",
    "Experiment",
    "check_config",
    "choose_device",
    "load_real",
]


def check_config(config: StudyConfig) -> None:
    """ConfigError if the base network cannot make such images or feature maps. Reads no data."""
    check_settings(
        config.network,
        config.transfer,
        config.discriminator_transfer,
        size=config.data.size,
        channels=config.data.channels,
    )


def load_real(config: StudyConfig) -> RealImages:
    """The real images of a study. DataError if they cannot be had or judged, ConfigError if they are too few."""
    real = load_images(config.data)
    if EXTRACTORS.get(config.evaluation.extractor).needs_classes:
        require_classes(real, config.data.root or config.data.name)
    require_images(len(real.images), config.training, config.k)
    return real


class Experiment:
    """Real images and extractor, loaded once; called for one graph after another."""

    def __init__(
        self,
        config: StudyConfig,
        work: WorkFolder,
        device: torch.device,
        should_stop: ShouldStop = lambda: False,
        *,
        cache: Path | None = None,
        checkpoints: CheckpointStore | None = None,
    ) -> None:
        """`cache` keeps extractor and reference statistics; None = the work folder's, shared by all its studies.

        `checkpoints` is where checkpoints travel to other machines, under the names of the run folders; None = nowhere.
        """
        check_config(config)
        self.config = config
        self.device = device
        self.checkpoints = checkpoints
        self.runtime = config.runtime
        self.fast_path_off: str | None = None
        self.off: str | None = None
        """What of `runtime.fast` is off by `check_fast_path`, for people: fast path off, CUDA graphs off."""
        self.real = load_real(config)
        self.evaluator = Evaluator(
            config.evaluation,
            self.real,
            cache or work.cache,
            device,
            objective=config.objective,
            should_stop=should_stop,
        )

    def check_fast_path(self) -> str | None:
        """Compares it, on the device, with the float32 reference; the reason if it is refused.

        Then all later trainings are computed as the reference, or without CUDA graphs if these alone are refused, and
        their outcomes say so.
        """
        allowed = self.config.training.tf32
        with tf32(allowed), deterministic(self.config.runtime, self.device):
            check = self_check(self.config, self.config.runtime.fast, self.device)
        log.log(logging.INFO if check.problem is None else logging.WARNING, "%s: %s", self.device, check.words)
        log.info("%s: convolutions %s", self.device, "may use TensorFloat-32" if allowed else "in float32")
        self.fast_path_off, self.off = check.problem, check.off
        self.runtime = self.config.runtime.model_copy(update={"fast": check.fast})
        return check.problem

    def __call__(
        self,
        graph: KnowledgeTransferGraph,
        seed: int,
        folder: Path,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        on_iteration: Callable[[int], None] = lambda iteration: None,
        on_row: OnRow = lambda epoch, numbers, samples: None,
    ) -> Outcome:
        """Trains `graph` from `seed`, or resumes it from `folder`, and scores its generators.

        `folder` holds the checkpoints, and at the end the table of the epochs (`telemetry`), the generators that count
        (`evaluation.point`) and, with `training.ema`, their moving averages as they are at the end. `should_stop` may
        raise Pruned: the training ends when it has that interim score, with an outcome that says so and no generators.
        `on_iteration` hears of every iteration finished, 1..T, `on_row` of every epoch (`telemetry.OnRow`); both must
        be quick. Raises Interrupted (checkpointed) and
        TrialFault (see `gan.trainer.train`); divergence is an outcome of the objective's worst value.
        """
        config = self.config
        if graph.roster != config.roster:
            raise GraphError(f"graph {graph.to_text()} has {graph.roster}, the study has {config.roster}")
        identity = f"{fingerprint(config)}/{graph.to_text()}/{seed}"
        checkpoint = CheckpointFile(folder, identity)
        if self.checkpoints is not None:
            checkpoint = SharedCheckpoint(folder, identity, self.checkpoints)
        z_size, ramp = config.network.z, config.training.ramp
        run = Run(graph, seed, config.evaluation, self.evaluator, z_size, on_progress, should_stop, ramp, on_row)
        with tf32(config.training.tf32):
            return self._run(run, graph, seed, folder, checkpoint, on_iteration)

    def _run(
        self,
        run: Run,
        graph: KnowledgeTransferGraph,
        seed: int,
        folder: Path,
        checkpoint: CheckpointFile,
        on_iteration: Callable[[int], None],
    ) -> Outcome:
        config = self.config
        started: list[TrainingState] = []

        def on_start(state: TrainingState) -> None:
            started.append(state)
            run.on_start(state)

        try:
            state = train(
                graph,
                self.real.images,
                config.network,
                config.transfer,
                config.training,
                self.runtime,
                discriminator_transfer=config.discriminator_transfer,
                seed=seed,
                device=self.device,
                checkpoint=checkpoint,
                on_start=on_start,
                on_epoch=run.on_epoch,
                on_iteration=on_iteration,
                on_losses=run.on_losses,
                should_stop=run.should_stop,
            )
            save_generators(folder / GENERATORS_FILE, run.score_at_end(state), graph)
            if state.averages:
                save_generators(folder / AVERAGES_FILE, [average.module for average in state.averages], graph)
            outcome = run.outcome(None)
        except Diverged as diverged:
            outcome = run.outcome(str(diverged))
        except Pruned as pruned:
            outcome = run.cut_outcome(pruned.evaluation)
        run.write_telemetry(folder)
        off = self.fast_path_off or next((state.fallback for state in started), None)
        return outcome.model_copy(update={"fast_path_off": off})
