"""`train`: one graph outside a search, with one or more seeds."""

import json
import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from colgan_search import presets
from colgan_search.api.epoch_pictures import try_to_draw
from colgan_search.api.tensorboard import require_tensorboard, tensorboard_rows
from colgan_search.api.work_and_storage import DEFAULT_WORK_DIR, existing_parent, work_folder
from colgan_search.bundles.bundle import write_bundle, write_config
from colgan_search.config import StudyConfig, fingerprint, load_config, with_overrides
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
    WorkFolder,
    seed_folder,
)
from colgan_search.files import require_space, write_text
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.past_versions import wrong_with
from colgan_search.records import MAX_IS, Outcome, Progress, ShouldStop
from colgan_search.seeds import derive_seed
from colgan_search.version import __version__

MAX_NAME = 60
"""Characters of a graph as it was typed, in the name of its folder."""

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
    tensorboard: Path | None = None
    """Folder for TensorBoard, which can look on: losses, accuracies, gates, scores, samples. None = none."""
    command: str = "colgan_search.train"
    """What is kept in the bundles as the command that made them."""


@dataclass(frozen=True)
class Trained:
    """The outcomes of one graph's trainings, one per seed, and the folder that keeps what they left."""

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

    Leaves `seed-N/` (a bundle, outcome.json, telemetry.csv, strip.png and film.gif), `scores.json` and `graph.png`;
    outcomes and bundles also hold the scores of the other weights (`last-ema`, ... see
    `experiment.run.Run.score_at_end`). `say` hears which images were found. BadInput if `out` belongs to another graph
    or config; Interrupted if `should_stop` turned true (checkpointed: the same call goes on).
    """
    if request.tensorboard is not None:
        require_tensorboard()
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


def default_folder(work: WorkFolder, config: StudyConfig, graph: KnowledgeTransferGraph, typed: str | None) -> Path:
    """Where a training is kept if no folder is named. `typed`: how the graph was named, e.g. by its preset's name."""
    name = graph.to_text() if typed is None or len(typed) >= MAX_NAME else typed
    slug = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:80]
    return work.train / f"{config.name}-{slug}-{config.training.epochs}-epochs"


def train(
    graph: KnowledgeTransferGraph | str,
    config: StudyConfig | str | Path = "digits",
    *,
    seeds: int = 1,
    out: str | Path | None = None,
    device: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    work_dir: str | Path = DEFAULT_WORK_DIR,
    on_progress: Callable[[int, Progress], None] = lambda seed_number, progress: None,
) -> Trained:
    """Trains and scores one graph outside a search, in this process: `seeds` independent trainings.

    The same call again goes on from the last checkpoint, and does not do again what is finished.

    Args:
        graph: a graph, a preset's name (`mad-gan`), or a text form (`G1=D:t/G2=D:t,G1:p`).
        config: a config, a YAML file, or the name of a shipped one.
        seeds: how many trainings, at least 1; their seeds follow from the config's.
        out: folder for weights, scores and picture; None = one in the work folder.
        device: auto, cpu, cuda or cuda:N instead of the config's.
        overrides: key path -> value on top of the config: `{"training.epochs": 2}`.
        work_dir: folder for caches.
        on_progress: hears the number of the training (0, 1, ...) and how far it is.

    Raises:
        BadInput: and its kinds: what is wrong; nothing was begun.
    """
    settings = config if isinstance(config, StudyConfig) else load_config(config)
    if overrides:
        settings = with_overrides(settings, overrides)
    wanted = graph if isinstance(graph, KnowledgeTransferGraph) else presets.resolve(graph, settings.roster)
    typed = graph if isinstance(graph, str) else None
    folder = default_folder(WorkFolder(Path(work_dir)), settings, wanted, typed) if out is None else Path(out)
    return train_graph(TrainRequest(settings, wanted, seeds, folder, Path(work_dir), device), on_progress)


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
    with tensorboard_rows(request.tensorboard, folder.name) as on_row:
        outcome = experiment(request.graph, seed, folder, on_progress, should_stop, on_iteration, on_row)
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
    try_to_draw(folder)
    write_text(path, outcome.model_dump_json(indent=1))
    for checkpoint in folder.glob(CHECKPOINTS):
        checkpoint.unlink()
    return outcome
