"""A training that is stopped and resumed equals one that was never stopped, in every bit."""

from pathlib import Path

import pytest
import torch

from colgan_search.config import RuntimeSettings, TransferSettings
from colgan_search.errors import Diverged, Interrupted
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.state import TrainingState
from colgan_search.graph import KnowledgeTransferGraph
from tests.unit.gan_helpers import FEATURES, IMAGE, digest, network, run

GRAPH = KnowledgeTransferGraph.from_text("G1=D:t,G2:p/G2=D:n,G1:t")


class StopAfter:
    """A `should_stop` that says yes once `iterations` are finished."""

    def __init__(self, iterations: int) -> None:
        self.left = iterations

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("norm", ["spectral", "batch"])
@pytest.mark.parametrize("transfer", [IMAGE, FEATURES], ids=["image", "features"])
@pytest.mark.parametrize("stop", [0, 3, 4, 6])  # 3 and 6: in the middle of an epoch of 4
def test_resumed_equals_uninterrupted(tmp_path: Path, norm: str, transfer: TransferSettings, stop: int) -> None:
    net = network(discriminator_norm=norm)
    whole = digest(run(GRAPH, transfer, net=net))
    checkpoint = CheckpointFile(tmp_path, "run")
    with pytest.raises(Interrupted, match=f"after iteration {stop} of 8"):
        run(GRAPH, transfer, net=net, checkpoint=checkpoint, should_stop=StopAfter(stop))
    torch.manual_seed(99)
    seen: list[int] = []
    resumed = run(GRAPH, transfer, net=net, checkpoint=CheckpointFile(tmp_path, "run"), on_iteration=seen.append)
    assert seen == list(range(stop + 1, 9))
    # `reported` is part of the digest; only who was told differs between the two, not how often
    assert digest(resumed) == whole


def test_interrupted_at_every_iteration(tmp_path: Path) -> None:
    interruptions = 0
    epochs: list[int] = []
    while True:
        try:
            state = run(
                GRAPH,
                checkpoint=CheckpointFile(tmp_path, "run"),
                should_stop=StopAfter(1),
                on_epoch=lambda state: epochs.append(state.epoch),
            )
            break
        except Interrupted:
            interruptions += 1
    assert interruptions == 7
    assert epochs == [1, 2]
    assert digest(state) == digest(run(GRAPH))


def test_an_interrupted_scoring_is_called_again(tmp_path: Path) -> None:
    calls: list[int] = []

    def on_epoch(state: TrainingState) -> None:
        calls.append(state.epoch)
        if len(calls) == 1:
            raise Interrupted("in the middle of scoring")

    with pytest.raises(Interrupted):
        run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_epoch=on_epoch)
    seen: list[int] = []
    state = run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_epoch=on_epoch, on_iteration=seen.append)
    assert calls == [1, 1, 2]
    assert seen == [5, 6, 7, 8]
    assert digest(state) == digest(run(GRAPH))


def test_the_callers_data_travels_with_the_checkpoint(tmp_path: Path) -> None:
    def on_epoch(state: TrainingState) -> None:
        state.extra.setdefault("history", []).append({"epoch": state.epoch, "is": 1.5, "fid": None})

    with pytest.raises(Interrupted):
        run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_epoch=on_epoch, should_stop=StopAfter(5))
    state = run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_epoch=on_epoch)
    expected = [{"epoch": epoch, "is": 1.5, "fid": None} for epoch in (1, 2)]
    assert state.extra == {"history": expected}
    # finished: the checkpoint that stays behind needs no more training
    again = run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_epoch=on_epoch, should_stop=lambda: True)
    assert again.extra == {"history": expected}
    assert digest(again) == digest(state)


def test_checkpoints_by_the_clock_survive_a_crash(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def die(iteration: int) -> None:
        if iteration == 7:
            raise Killed

    minutes = iter(range(1000))  # every look at the clock is a minute later
    with pytest.raises(Killed):
        run(
            GRAPH,
            checkpoint=CheckpointFile(tmp_path, "run"),
            on_iteration=die,
            clock=lambda: 60.0 * next(minutes),
            runtime=RuntimeSettings(checkpoint_minutes=4.0),
        )
    seen: list[int] = []
    state = run(GRAPH, checkpoint=CheckpointFile(tmp_path, "run"), on_iteration=seen.append)
    assert seen == [5, 6, 7, 8]  # saved when four minutes were over: at the end of the first epoch's last iteration
    assert digest(state) == digest(run(GRAPH))


def test_a_diverged_training_is_not_saved(tmp_path: Path) -> None:
    checkpoint = CheckpointFile(tmp_path, "run")

    def poison(state: TrainingState) -> None:
        next(state.generators[0].parameters()).data.fill_(float("nan"))

    with pytest.raises(Diverged, match="D on G1 is nan at iteration 1"):
        run(GRAPH, checkpoint=checkpoint, on_start=poison, should_stop=StopAfter(2))
    assert not checkpoint.path.exists()
