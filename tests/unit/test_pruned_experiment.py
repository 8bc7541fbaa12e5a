"""A training that is cut: at its interim score, whether it ran there in one go or from a checkpoint."""

from pathlib import Path

import pytest
import torch

from colgan_search.config import load_config
from colgan_search.config.pruning import PruningSettings
from colgan_search.errors import ConfigError, Interrupted, Pruned
from colgan_search.experiment import Experiment
from colgan_search.file_names import GENERATORS_FILE, WorkFolder
from colgan_search.gates import CUTOFF, NEGATIVE, POSITIVE, THROUGH
from colgan_search.presets import preset
from colgan_search.records import Cut, Outcome, Progress
from colgan_search.roster import Roster
from tests.unit.test_best_point import small_config


def test_a_cut_training_ends_with_the_scores_that_it_has(tmp_path: Path) -> None:
    experiment = Experiment(small_config(point="best"), WorkFolder(tmp_path), torch.device("cpu"))
    graph = preset("mad-gan", Roster(2))
    seen: list[Progress] = []

    def evaluations() -> int:
        return sum(progress.scores is not None for progress in seen)

    def run(folder: str, stop_at: int | None, cut_at: int | None) -> Outcome:
        """Interrupted after so many interim scores; cut at this one, which is known from the beginning."""

        def should_stop() -> bool:
            if stop_at is not None and evaluations() >= stop_at:
                return True
            if cut_at is not None:
                raise Pruned(cut_at)
            return False

        seen.clear()
        return experiment(graph, 1, tmp_path / folder, seen.append, should_stop)

    whole = run("whole", None, None)
    cut = run("cut", None, 2)
    assert cut.cut == Cut(evaluation=2, epoch=2)
    assert (cut.scores, cut.variants, cut.best_epochs, cut.diverged) == (None, {}, None, None)
    assert cut.history == whole.history[:2]
    assert cut.value == max(moment.scores.value for moment in whole.history[:2])
    assert evaluations() == 2 and cut.iterations < whole.iterations
    assert not (tmp_path / "cut" / GENERATORS_FILE).exists()
    # Interrupted before it had that score: it is trained so far, and no further.
    with pytest.raises(Interrupted):
        run("early", 1, None)
    resumed = run("early", None, 2)
    assert (resumed.history, resumed.value, resumed.cut) == (cut.history, cut.value, cut.cut)
    # Interrupted behind it: what came later does not count.
    with pytest.raises(Interrupted):
        run("late", 2, None)
    behind = run("late", None, 1)
    assert behind.cut == Cut(evaluation=1, epoch=1) and behind.history == whole.history[:1]
    assert behind.value == whole.history[0].scores.value
    assert Outcome.model_validate_json(behind.model_dump_json()) == behind


def test_the_gates_that_ramp() -> None:
    assert [gate.ramps for gate in (THROUGH, CUTOFF, POSITIVE, NEGATIVE)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"pruning.method": "halving"}, "pruning.method: 'halving' is not allowed"),
        ({"pruning.method": "asha", "evaluation.every_epochs": None}, "needs evaluation.every_epochs"),
        (
            {"pruning.method": "asha", "pruning.earliest": 0.9, "pruning.earliest_with_ramps": 0.9},
            "0.9 of 10 epochs comes after the last interim score (epoch 8, every 2)",
        ),
        ({"pruning.earliest": 0.6}, "earliest_with_ramps 0.5 is before earliest 0.6"),
        ({"pruning.rungs": 2}, "unknown key; known here: method, earliest"),
    ],
)
def test_pruning_that_cannot_be_is_refused_in_a_line(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config("digits", wrong)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_random_with_successive_halving_is_shipped() -> None:
    for name, like in (("digits-random-halving", "digits"), ("cifar10-random-halving", "cifar10")):
        config = load_config(name)
        assert (config.search.sampler, config.pruning.method) == ("random", "asha")
        assert config.roster == load_config(like).roster and config.search.gates == load_config(like).search.gates
        assert config.network == load_config(like).network and config.data == load_config(like).data
    assert load_config("digits").pruning == PruningSettings() and not PruningSettings().on
