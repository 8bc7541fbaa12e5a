"""What happens around one training: scores on the way and at the end, progress, the clock."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import nn

from colgan_search.config import EvaluationSettings
from colgan_search.errors import Pruned
from colgan_search.evaluation.scores import Evaluator
from colgan_search.experiment.best_point import BestPoint
from colgan_search.experiment.device import device_name
from colgan_search.experiment.telemetry import OnRow, Telemetry
from colgan_search.gan.state import TrainingState
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import (
    Cut,
    EpochScores,
    GeneratorScore,
    OnProgress,
    Outcome,
    Progress,
    Scores,
    ShouldStop,
)
from colgan_search.seeds import derive_seed, final_seed, fresh_seed


class Run:
    """Observes one training of `graph` from `seed` and makes its Outcome."""

    def __init__(
        self,
        graph: KnowledgeTransferGraph,
        seed: int,
        settings: EvaluationSettings,
        evaluator: Evaluator,
        z_size: int,
        on_progress: OnProgress,
        should_stop: ShouldStop,
        ramp: str = "iteration",
        on_row: OnRow = lambda epoch, numbers, samples: None,
    ) -> None:
        self.graph = graph
        self.seed = seed
        self.settings = settings
        self.evaluator = evaluator
        self.z_size, self.ramp, self.on_row = z_size, ramp, on_row
        self.on_progress = on_progress
        self._asked_to_stop = should_stop
        self._started = time.monotonic()
        self._seconds_before = 0.0
        self._state: TrainingState | None = None
        self._best: BestPoint | None = None
        self._history: list[EpochScores] = []
        self._variants: dict[str, Scores] = {}
        self._fresh: GeneratorScore | None = None
        self._telemetry: Telemetry | None = None

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of this attempt and, up to their last checkpoint, of earlier ones."""
        return self._seconds_before + time.monotonic() - self._started

    def should_stop(self) -> bool:
        """Passes the question on; asked before every iteration, so every checkpoint holds the seconds so far."""
        if self._state is not None:
            self._state.extra["seconds"] = self.seconds
        try:
            return self._asked_to_stop()
        except Pruned as pruned:
            # Taken over from a checkpoint of before that score: it is trained so far first.
            if len(self._history) < pruned.evaluation:
                return False
            raise

    def on_start(self, state: TrainingState) -> None:
        """Takes over what earlier attempts have left in the checkpoint."""
        self._state = state
        self._seconds_before = float(state.extra.get("seconds", 0.0))
        self._history = [EpochScores.model_validate(moment) for moment in state.extra.get("history", [])]
        self._telemetry = Telemetry(state.extra, self.graph, self.z_size, self.ramp, self.on_row)
        if self.settings.point == "best":
            self._best = BestPoint(state.extra, state.k)
        self._tell(state, None)

    def on_epoch(self, state: TrainingState) -> None:
        """Scores with few images now and then; the history is kept in the checkpoint."""
        if self._telemetry is not None:
            self._telemetry.on_epoch(state)
        every = self.settings.every_epochs
        at_end = state.epoch == state.epochs
        due = every is not None and (state.epoch % every == 0 or at_end)
        # At the end the full scores follow; the few images are only for the choice of the best point.
        if not due or (at_end and self._best is None):
            self._tell(state, None)
            return
        scores = self._score(state.generators, state.epoch, "interim")
        if self._best is not None:
            self._best.see(state.epoch, scores, state.generators)
        self._remember(state, scores)

    def on_losses(self, values: Iterable[tuple[int, str, float]]) -> None:
        """Hears of losses and accuracies, some dozens of iterations at a time."""
        if self._telemetry is not None:
            self._telemetry.on_losses(values)

    def write_telemetry(self, folder: Path) -> None:
        """Leaves the table of the training's epochs, and samples on the way, in its folder."""
        if self._telemetry is not None:
            self._telemetry.write(folder, self._history)

    def score_at_end(self, state: TrainingState) -> list[nn.Module]:
        """Scores in full what the training has left, and gives the generators that count.

        `last`: the weights at the end. `best`, with point: best: each generator's weights where its interim score was
        highest. `last-ema`, with training.ema: the moving average of the weights and of batch norm's statistics at the
        end, whatever the point is; interim scores and the choice of the best point are of the raw weights alone.
        """
        counting: list[nn.Module] = list(state.generators)
        self._variants["last"] = self._score(counting, state.epoch, "last")
        if self._best is not None:
            counting = self._best.generators(state.generators)
            self._variants["best"] = self._score(counting, state.epoch, "best")
        if state.averages:
            averages = [average.module for average in state.averages]
            self._variants["last-ema"] = self._score(averages, state.epoch, "last-ema")
        if self.settings.fresh_images:
            best = counting[self._variants[self.settings.point].best_generator - 1]
            self._fresh = self._score([best], state.epoch, "fresh").generators[0]
        self._remember(state, self._variants[self.settings.point])
        return counting

    def outcome(self, diverged: str | None) -> Outcome:
        """The run's result."""
        scores = None if diverged is not None else self._variants.get(self.settings.point)
        return Outcome(
            graph=self.graph.to_text(),
            seed=self.seed,
            value=self._value(scores),
            scores=scores,
            variants=self._variants,
            fresh=None if scores is None else self._fresh,
            best_epochs=self._best.epochs if self._best is not None and scores is not None else None,
            history=tuple(self._history),
            diverged=diverged,
            iterations=0 if self._state is None else self._state.iteration,
            seconds=self.seconds,
            device=device_name(self.evaluator.device),
            classifier_accuracy=self.evaluator.extractor.accuracy,
        )

    def cut_outcome(self, evaluation: int) -> Outcome:
        """The result of a run that is cut at its interim score of this number, 1..: it has no final scores."""
        history = self._history[:evaluation]
        objective = self.evaluator.objective
        return self.outcome(None).model_copy(
            update={
                "scores": None,
                "variants": {},
                "best_epochs": None,
                "fresh": None,
                "value": objective.best(moment.scores.value for moment in history),
                "history": tuple(history),
                "cut": Cut(evaluation=evaluation, epoch=history[-1].epoch),
            }
        )

    def _value(self, scores: Scores | None) -> float:
        objective = self.evaluator.objective
        if scores is None:
            return objective.worst
        return scores.value if self._fresh is None else self._fresh.metrics[objective.number]

    def _score(self, generators: Sequence[nn.Module], epoch: int, what: str) -> Scores:
        return self.evaluator.score(
            generators,
            self.z_size,
            seed=self._images_seed(epoch, what),
            interim=what == "interim",
            should_stop=self.should_stop,
        )

    def _images_seed(self, epoch: int, what: str) -> int:
        """The same for all full scores but `fresh`, so that only the weights differ between them."""
        if what == "interim":
            return derive_seed(self.seed, "evaluation", epoch, "interim")
        return (fresh_seed if what == "fresh" else final_seed)(self.seed, epoch)

    def _remember(self, state: TrainingState, scores: Scores) -> None:
        self._history.append(EpochScores(epoch=state.epoch, scores=scores))
        if self._telemetry is not None:
            self._telemetry.on_scores(self._history[-1])
        state.extra["history"] = [moment.model_dump(mode="json") for moment in self._history]
        self._tell(state, scores)

    def _tell(self, state: TrainingState, scores: Scores | None) -> None:
        self.on_progress(
            Progress(
                epoch=state.epoch,
                epochs=state.epochs,
                iteration=state.iteration,
                iterations=state.iterations,
                scores=scores,
                evaluation=len(self._history) if scores is not None else None,
            )
        )
