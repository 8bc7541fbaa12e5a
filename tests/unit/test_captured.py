"""An iteration recorded and replayed does what it did: held on the CPU by a recorder that behaves as CUDA graphs do."""

import copy
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from colgan_search.config import RuntimeSettings, with_overrides
from colgan_search.errors import Diverged, Interrupted
from colgan_search.experiment import Experiment
from colgan_search.extensions.fast import REFERENCE, USUAL
from colgan_search.file_names import WorkFolder
from colgan_search.gan import captured
from colgan_search.gan.captured import WARM_UP
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.iteration import Drawn, Iteration
from colgan_search.gan.lessons import Lesson
from colgan_search.gan.networks import dcgan_modules
from colgan_search.gan.self_check import self_check
from colgan_search.gan.state import TrainingState
from colgan_search.gan.transfers.outputs import OutputTransferSettings
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import CPU, FEATURES, IMAGE, digest, fresh, pictures, run, training
from tests.unit.tape import TapeRecorder
from tests.unit.test_self_check import config

CAPTURED = USUAL.model_copy(update={"cuda_graph": True})
ONE = "G1=D:p,G2:n,G3:t/G2=D:n,G1:t/G3=G1:p"
TWO = "G1=D1:p,D2:t,G2:n/G2=D1:n,D2:p,G1:t/D1=D2:t/D2=D1:n"


@pytest.fixture(autouse=True)
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[TapeRecorder]:
    """Trainings on the CPU are recorded on tapes."""
    monkeypatch.setitem(captured.RECORDERS, "cpu", TapeRecorder)
    TapeRecorder.made.clear()
    return TapeRecorder.made


def trained(text: str, fast: Any, **more: Any) -> tuple[TrainingState, list[tuple[int, str, float]]]:
    heard: list[tuple[int, str, float]] = []

    def on_losses(found: Iterable[tuple[int, str, float]]) -> None:
        heard.extend(found)

    graph = KnowledgeTransferGraph.from_text(text)
    if graph.roster.discriminators > 1:
        more["discriminator_transfer"] = OutputTransferSettings()
    state = run(graph, runtime=RuntimeSettings(fast=fast), on_losses=on_losses, images=pictures(size=16), **more)
    return state, heard


@pytest.mark.parametrize("text", [ONE, TWO])
@pytest.mark.parametrize(
    "changes",
    [
        {"ramp": "epoch"},
        {"discriminator_steps": "per_batch", "real_batches": "fresh", "epochs": 7},
        {"discriminator_steps": "joint", "ema": 0.9},
    ],
)
@pytest.mark.parametrize("transfer", [IMAGE, FEATURES])
def test_replayed_iterations_have_the_same_bits(
    text: str, changes: dict[str, Any], transfer: Any, tapes: list[TapeRecorder]
) -> None:
    how = training(**changes)
    wanted, heard = trained(text, USUAL, how=how, transfer=transfer)
    assert not tapes
    found, told = trained(text, CAPTURED, how=how, transfer=transfer)
    assert [tape.replays for tape in tapes] == [wanted.iterations - WARM_UP] and tapes[0].replays >= 3
    assert [tape.released for tape in tapes] == [1]
    assert digest(found) == digest(wanted)
    assert told == heard  # every loss of every iteration, and the accuracies of every eighth


@pytest.mark.parametrize("fast", [REFERENCE, USUAL])
def test_any_way_of_computing_can_be_recorded(fast: Any, tapes: list[TapeRecorder]) -> None:
    wanted, _ = trained(ONE, fast)
    found, _ = trained(ONE, fast.model_copy(update={"cuda_graph": True}))
    assert digest(found) == digest(wanted) and tapes[0].replays == 5


def test_a_stopped_training_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    wanted, _ = trained(ONE, USUAL)
    asked = iter(range(100))
    with pytest.raises(Interrupted):
        trained(ONE, CAPTURED, checkpoint=CheckpointFile(tmp_path, "run"), should_stop=lambda: next(asked) == 5)
    found, _ = trained(ONE, CAPTURED, checkpoint=CheckpointFile(tmp_path, "run"))
    assert digest(found) == digest(wanted)


def test_divergence_is_seen_in_a_replay() -> None:
    kept: list[TrainingState] = []

    def poison(iteration: int) -> None:
        if iteration == 5:
            with torch.no_grad():
                kept[0].generators[1].convolutions[0].weight.fill_(float("nan"))  # type: ignore[operator, union-attr]

    with pytest.raises(Diverged, match=r"is nan at iteration 6$"):
        trained(ONE, CAPTURED, on_start=kept.append, on_iteration=poison)


def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generator's first layer asks the device for a number, which cannot be recorded."""
    right = dcgan_modules.from_point

    def curious(z: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        assert float(z.detach().square().sum()) > 0.0
        return right(z, weight)

    monkeypatch.setattr(dcgan_modules, "from_point", curious)


def test_what_cannot_be_recorded_goes_on_as_it_was(
    monkeypatch: pytest.MonkeyPatch, tapes: list[TapeRecorder], caplog: pytest.LogCaptureFixture
) -> None:
    wanted, heard = trained(ONE, USUAL)
    waiting(monkeypatch)
    with caplog.at_level(logging.WARNING):
        found, told = trained(ONE, CAPTURED)
    assert digest(found) == digest(wanted) and told == heard and tapes[0].replays == 0
    (line,) = [record.getMessage() for record in caplog.records]
    assert "cannot be recorded" in line and "goes on without CUDA graphs" in line


def test_the_check_before_the_first_training_agrees(tapes: list[TapeRecorder]) -> None:
    found = self_check(config(), CAPTURED, CPU)
    assert (found.problem, found.fast) == (None, CAPTURED)
    assert [tape.replays for tape in tapes] == [3]


def test_a_refused_recording_leaves_the_rest_of_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting(monkeypatch)
    found = self_check(config(), CAPTURED, CPU)
    assert found.fast == USUAL and found.problem is not None and "cannot be recorded" in found.problem
    assert found.words.startswith("CUDA graphs off: ")


class Forgetful(TapeRecorder):
    """Its replays do nothing."""

    def record(self, work: Any) -> Any:
        """As a tape that has lost its band."""
        _, found = super().record(work)
        return (lambda: None), found


def test_wrong_replays_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(captured.RECORDERS, "cpu", Forgetful)
    found = self_check(config(), CAPTURED, CPU)
    assert found.fast == USUAL and found.problem is not None and "a replayed iteration's losses differ" in found.problem

    experiment = Experiment(with_overrides(config(), {"runtime.fast.cuda_graph": True}), WorkFolder(tmp_path), CPU)
    assert experiment.check_fast_path() == found.problem
    assert experiment.runtime.fast == USUAL
    graph = KnowledgeTransferGraph.from_text("G1=D:t/G2=-/G3=-")
    outcome = experiment(graph, 3, tmp_path / "run", lambda progress: None, lambda: False)
    assert outcome.fast_path_off == found.problem


def no_weights(patch: pytest.MonkeyPatch) -> None:
    """The gates weigh in every replay what they weighed when it was recorded."""
    right = Iteration.weights
    patch.setattr(Iteration, "weights", lambda self, progress: right(self, 0.0))


def no_images(patch: pytest.MonkeyPatch) -> None:
    """Every replay shows the real images that it was recorded with."""
    patch.setattr(Drawn, "tensors", property(lambda self: [z for row in self.own_z for z in row] + [self.shared_z]))


def no_z(patch: pytest.MonkeyPatch) -> None:
    """Every replay takes the z that it was recorded with."""
    patch.setattr(Drawn, "tensors", property(lambda self: [numbers for row in self.real for numbers in row]))


@pytest.mark.parametrize("left_out", [no_weights, no_images, no_z])
def test_whatever_is_not_copied_into_a_replay_is_seen(left_out: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out(monkeypatch)
    found = self_check(config(), CAPTURED, CPU)
    assert found.fast == USUAL and found.problem is not None and "a replayed iteration's losses differ" in found.problem


def test_adam_is_computed_as_here_not_as_where_it_was_saved() -> None:
    state, other = fresh(2), fresh(2)
    saved = copy.deepcopy(state.to_checkpoint())
    for moments in (*saved["generator_optimizers"], *saved["discriminator_optimizers"]):
        moments["param_groups"][0]["capturable"] = True  # as on a GPU with CUDA graphs
    other.restore(saved)
    groups = [o.param_groups[0] for o in (*other.generator_optimizers, *other.discriminator_optimizers)]
    assert [group["capturable"] for group in groups] == [False, False]


def test_a_recording_that_fails_while_a_discriminator_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """A teacher is in eval mode then; teaching again puts it back."""
    wanted, heard = trained(TWO, USUAL)
    right = Lesson.run

    def curious(self: Lesson, state: TrainingState, network: Any, batch: torch.Tensor, wanted: bool) -> Any:
        if not network.training:
            assert float(batch.square().sum()) > 0.0
        return right(self, state, network, batch, wanted)

    monkeypatch.setattr(Lesson, "run", curious)
    found, told = trained(TWO, CAPTURED)
    assert found.fallback is not None and "cannot be recorded" in found.fallback
    assert digest(found) == digest(wanted) and told == heard


def test_the_outcome_says_what_could_not_be_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    waiting(monkeypatch)
    experiment = Experiment(with_overrides(config(), {"runtime.fast.cuda_graph": True}), WorkFolder(tmp_path), CPU)
    graph = KnowledgeTransferGraph.from_text("G1=D:t/G2=-/G3=-")
    outcome = experiment(graph, 3, tmp_path / "run", lambda progress: None, lambda: False)
    assert outcome.fast_path_off is not None and "cannot be recorded" in outcome.fast_path_off
