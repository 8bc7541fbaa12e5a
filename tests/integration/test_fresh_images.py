"""`evaluation.fresh_images`: the generator that is chosen as the best is judged by images that had no say in it."""

import threading
from pathlib import Path
from typing import Any

import torch

from colgan_search import presets
from colgan_search.bundles.weights import load_generators
from colgan_search.experiment import Experiment
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.records import Outcome
from colgan_search.seeds import derive_seed
from tests.integration.cli_helpers import small_config


def trained(folder: Path, **changes: Any) -> tuple[Experiment, Outcome]:
    config = small_config(folder, **changes)
    experiment = Experiment(config, WorkFolder(folder / "work"), torch.device("cpu"))
    graph = presets.resolve("mad-gan", config.roster)
    never = threading.Event().is_set
    return experiment, experiment(graph, 5, folder / str(config.evaluation.fresh_images), lambda _: None, never)


def test_the_chosen_generator_is_scored_again_on_other_images(tmp_path: Path) -> None:
    _, as_in_the_paper = trained(tmp_path)
    experiment, outcome = trained(tmp_path, evaluation__fresh_images=True)
    assert as_in_the_paper.fresh is None and as_in_the_paper.scores is not None
    assert as_in_the_paper.value == as_in_the_paper.scores.value
    assert outcome.scores == as_in_the_paper.scores  # the k scores themselves are what they were
    assert outcome.fresh is not None and outcome.scores is not None
    assert outcome.value == outcome.fresh.is_mean != outcome.scores.value
    again = Outcome.model_validate_json(outcome.model_dump_json())
    assert again.fresh == outcome.fresh

    # The same weights, loaded from disk, with the seed written down here a second time.
    config = experiment.config
    file = tmp_path / "True" / GENERATORS_FILE
    generators = load_generators(file, config.network, config.k, size=8, channels=1, device=torch.device("cpu"))
    chosen = generators[outcome.scores.best_generator - 1]
    scored = experiment.evaluator.score([chosen], config.network.z, seed=derive_seed(5, "evaluation", 1, "fresh"))
    assert scored.generators[0] == outcome.fresh
