"""`train`: one graph outside a search, with one or more seeds."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from colgan_search import __version__
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, existing_parent, work_folder
from colgan_search.bundles.bundle import write_bundle, write_config
from colgan_search.config import StudyConfig, fingerprint
from colgan_search.errors import BadInput
from colgan_search.evaluation.classifier_card import require_worth
from colgan_search.experiment import Experiment, check_config, choose_device
from colgan_search.figures import draw_graph
from colgan_search.file_names import (
    CHECKPOINTS,
    GENERATORS_FILE,
    GRAPH_PICTURE,
    OUTCOME_FILE,
    RUN_FILE,
    SCORES,
    seed_folder,
)
from colgan_search.files import require_space, write_text
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.past_versions import wrong_with
from colgan_search.records import MAX_IS, Outcome, Progress, ShouldStop
from colgan_search.seeds import derive_seed

FIRST_VERSION = "0.1.0"
"""It left no version in its run.json."""


@dataclass(frozen=True)
class TrainRequest:
    """One graph, `seeds` trainings of it, and the folder that keeps what they leave."""

    config: StudyConfig
    graph: KnowledgeTransferGraph
    seeds: int
    out: Path
    work_dir: Path = DEFAULT_WORK_DIR
    device: str | None = None
    command: str = "api.train_graph"
    """What is kept in the bundles as the command that made them."""


@dataclass(frozen=True)
class Trained:
    """The outcomes, one per seed."""

    graph: KnowledgeTransferGraph
    outcomes: tuple[Outcome, ...]
    folder: Path

    @property
    def values(self) -> list[float]:
        """The maximum IS of every seed, or the value of another objective."""
        return [outcome.value for outcome in self.outcomes]

    def summary(self) -> dict[str, Any]:
        """For JSON: mean and deviation over training seeds (None for one), and every outcome."""
        objective = next((outcome.scores.objective for outcome in self.outcomes if outcome.scores), MAX_IS)
        return {
            "graph": self.graph.to_text(),
            "seeds": len(self.outcomes),
            "objective": objective.words,
            "value_mean_over_seeds": statistics.fmean(self.values),
            "value_std_over_seeds": statistics.stdev(self.values) if len(self.values) > 1 else None,
            "outcomes": [outcome.model_dump(mode="json") for outcome in self.outcomes],
        }


def train_graph(
    request: TrainRequest,
    on_progress: Callable[[int, Progress], None] = lambda seed_number, progress: None,
    should_stop: ShouldStop = lambda: False,
    *,
    on_iteration: Callable[[int, int], None] = lambda seed_number, iteration: None,
    say: Callable[[str], None] = lambda text: None,
) -> Trained:
    """Trains the graph once per seed; what is finished or begun in `out` is taken up, not done again.

    Leaves `seed-N/` (a bundle and outcome.json), `scores.json` and `graph.png`; outcomes and bundles also hold the
    scores of the other weights (`last-ema`, ... see `experiment.run.Run.score_at_end`). `say` hears which images were
    found. BadInput if `out` belongs to
    another graph or config; Interrupted if `should_stop` turned true (checkpointed: the same call goes on).
    """
    if request.seeds < 1:
        raise BadInput(f"--seeds {request.seeds} is not allowed: at least 1")
    check_config(request.config)
    device = choose_device(request.config.runtime, request.device)
    torch.set_num_threads(request.config.runtime.threads)
    work = work_folder(request.work_dir)
    work_folder(request.out, "--out")
    claimed = _is_claimed(request)
    require_space(existing_parent(request.out))
    experiment = Experiment(request.config, work, device, should_stop=should_stop)
    say(f"found {experiment.real.counted}")
    if experiment.evaluator.extractor.card is not None:
        require_worth(experiment.evaluator.extractor.card, "nothing is trained to be scored by it")
    if not claimed:
        write_text(request.out / RUN_FILE, json.dumps(_identity(request)))
    outcomes = tuple(
        _one_seed(request, experiment, number, partial(on_progress, number), should_stop, partial(on_iteration, number))
        for number in range(request.seeds)
    )
    trained = Trained(request.graph, outcomes, request.out)
    write_text(request.out / SCORES, json.dumps(trained.summary(), indent=1))
    scores = outcomes[0].scores
    draw_graph(
        request.graph,
        request.out / GRAPH_PICTURE,
        scores=None if scores is None else scores.of(scores.objective.number),
        objective=request.config.objective,
        title=f"{request.config.name}: {request.graph.to_text()}",
    )
    return trained


def _identity(request: TrainRequest) -> dict[str, str]:
    return {
        "version": __version__,
        "fingerprint": fingerprint(request.config),
        "graph": request.graph.to_text(),
    }


def _is_claimed(request: TrainRequest) -> bool:
    """True if the folder holds this very run, False if it is empty or not there. BadInput if it holds another."""
    path = request.out / RUN_FILE
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadInput(
                f"--out {request.out}: its {RUN_FILE} cannot be read: {error}; choose another folder"
            ) from None
        theirs = found.get("version", FIRST_VERSION) if isinstance(found, dict) else None
        if theirs is not None and theirs != __version__:
            raise BadInput(
                f"--out {request.out} holds a run of colgan-search {theirs}, this is {__version__}; scores of two "
                f"versions must not mix{wrong_with(theirs)}; choose another folder"
            )
        if found != _identity(request):
            raise BadInput(
                f"--out {request.out} holds another run ({found}), this is {_identity(request)}; choose another folder"
            )
        return True
    if request.out.exists() and any(request.out.iterdir()):
        raise BadInput(f"--out {request.out} is not empty and holds no run of `train`; choose another folder")
    return False


def _one_seed(
    request: TrainRequest,
    experiment: Experiment,
    number: int,
    on_progress: Callable[[Progress], None],
    should_stop: ShouldStop,
    on_iteration: Callable[[int], None],
) -> Outcome:
    folder = seed_folder(request.out, number)
    path = folder / OUTCOME_FILE
    if path.exists():
        return Outcome.model_validate_json(path.read_text(encoding="utf-8"))
    seed = derive_seed(request.config.seed, "train", number)
    write_config(folder, request.config)  # at once: `evaluate` scores the checkpoint of an unfinished training with it
    outcome = experiment(request.graph, seed, folder, on_progress, should_stop, on_iteration)
    if outcome.scores is not None:
        write_bundle(
            folder,
            request.graph,
            request.config,
            folder / GENERATORS_FILE,
            outcome.scores,
            seed=seed,
            command=request.command,
            variants=outcome.variants,
            classifier_accuracy=outcome.classifier_accuracy,
        )
    write_text(path, outcome.model_dump_json(indent=1))
    for checkpoint in folder.glob(CHECKPOINTS):
        checkpoint.unlink()
    return outcome
