"""The weights that count: the best point per generator, the moving average, and what is kept of them."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from colgan_search.bundles.weights import load_generators
from colgan_search.config import StudyConfig, parse_config
from colgan_search.errors import Interrupted
from colgan_search.experiment import Experiment
from colgan_search.experiment.best_point import BestPoint
from colgan_search.file_names import AVERAGES_FILE, GENERATORS_FILE, WorkFolder
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.presets import preset
from colgan_search.records import GeneratorScore, Outcome, Protocol, Scores
from colgan_search.roster import Roster
from tests.unit.gan_helpers import all_gates, run, training

PROTOCOL = Protocol(extractor="x", weights_digest="0", resolution=8, channels=1, images=2, splits=1, reference=None)


def scores(*values: float) -> Scores:
    return Scores(
        generators=tuple(GeneratorScore(metrics={"is_mean": v, "is_std": 0.0}) for v in values), protocol=PROTOCOL
    )


def filled(value: float) -> list[nn.Module]:
    """Two one-number generators."""
    made: list[nn.Module] = [nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)]
    for module, number in zip(made, (value, 10 * value), strict=True):
        nn.init.constant_(module.weight, number)  # type: ignore[arg-type]
    return made


def test_every_generator_keeps_its_own_best_moment() -> None:
    extra: dict[str, Any] = {}
    best = BestPoint(extra, 2)
    best.see(1, scores(2.0, 3.0), filled(1.0))
    best.see(2, scores(4.0, 1.0), filled(2.0))
    best.see(3, scores(4.0, 2.9), filled(3.0))  # equal is not higher
    assert best.epochs == (2, 1)
    first, second = best.generators(filled(9.0))
    assert (first.weight.item(), second.weight.item()) == (2.0, 10.0)  # type: ignore[operator]
    assert BestPoint(extra, 2).epochs == (2, 1)  # a resumed training finds it


def test_moving_average_equals_the_recursion_by_hand() -> None:
    decay, seen = 0.7, []
    state = run(
        all_gates(2),
        how=training(ema=decay),
        on_start=lambda s: seen.append(s),
        on_iteration=lambda i: seen.append([p.detach().clone() for p in seen[0].generators[0].parameters()]),
    )
    expected = seen[1]  # PyTorch's average begins as a copy of the first weights that it sees
    for weights in seen[2:]:
        expected = [decay * e + (1 - decay) * w for e, w in zip(expected, weights, strict=True)]
    for ours, by_hand in zip(state.averages[0].module.parameters(), expected, strict=True):
        assert torch.allclose(ours, by_hand, atol=1e-6)


def test_moving_average_survives_an_interruption(tmp_path: Path) -> None:
    asked = 0

    def stop_at_five() -> bool:
        nonlocal asked
        asked += 1
        return asked > 5

    whole = run(all_gates(2), how=training(ema=0.9))
    with pytest.raises(Interrupted):
        run(all_gates(2), how=training(ema=0.9), checkpoint=CheckpointFile(tmp_path, "a"), should_stop=stop_at_five)
    resumed = run(all_gates(2), how=training(ema=0.9), checkpoint=CheckpointFile(tmp_path, "a"))
    for a, b in zip(whole.averages, resumed.averages, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def small_config(**evaluation: Any) -> StudyConfig:
    return parse_config(
        {
            "name": "small",
            "k": 2,
            "data": {"name": "digits", "size": 8, "channels": 1},
            "network": {"width": 4, "z": 6},
            "transfer": {"kind": "image", "alpha": 20},
            "training": {"epochs": 3, "batch": 256, "learning_rate": 2e-3, "ema": 0.5},
            "evaluation": {
                "extractor": "classifier",
                "classifier_epochs": 1,
                "images": 60,
                "splits": 1,
                "every_epochs": 1,
                "interim_images": 40,
            }
            | evaluation,
        },
        "test",
    )


def outcome(tmp_path: Path, config: StudyConfig) -> Outcome:
    experiment = Experiment(config, WorkFolder(tmp_path), torch.device("cpu"))
    return experiment(preset("mad-gan", Roster(2)), 1, tmp_path / "run", lambda p: None, lambda: False)


def test_an_experiment_scores_the_last_the_best_and_the_average(tmp_path: Path) -> None:
    found = outcome(tmp_path, small_config(point="best"))
    assert set(found.variants) == {"last", "best", "last-ema"}
    assert found.scores == found.variants["best"] and found.value == found.variants["best"].value
    interim = [moment.scores for moment in found.history if moment.scores.protocol.images == 40]
    for i in range(2):
        values = [moment.generators[i].is_mean for moment in interim]
        assert found.best_epochs is not None and found.best_epochs[i] == values.index(max(values)) + 1
    settings = small_config().network
    for file in (GENERATORS_FILE, AVERAGES_FILE):
        load_generators(tmp_path / "run" / file, settings, 2, size=8, channels=1, device=torch.device("cpu"))


def test_an_experiment_counts_the_last_weights_unless_told_otherwise(tmp_path: Path) -> None:
    found = outcome(tmp_path, small_config())
    assert set(found.variants) == {"last", "last-ema"} and found.best_epochs is None
    assert found.scores == found.variants["last"]
    assert [moment.epoch for moment in found.history] == [1, 2, 3]
    assert found.history[-1].scores == found.scores
