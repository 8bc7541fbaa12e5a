"""What a training writes down of itself: the numbers are right, and no bit of the training changes."""

import csv
import io
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score

from colgan_search.api.tensorboard import tensorboard_rows
from colgan_search.config import RuntimeSettings
from colgan_search.errors import BadInput, Interrupted
from colgan_search.experiment.telemetry import IMAGES, Telemetry
from colgan_search.figures.compact import film, strip
from colgan_search.figures.curves import curves_figure, read_curves
from colgan_search.file_names import FRAMES_FILE, TELEMETRY_FILE
from colgan_search.gan.checkpoint import CheckpointFile
from colgan_search.gan.lessons import Lessons
from colgan_search.gan.state import TrainingState
from colgan_search.gan.steps import discriminator_phase
from colgan_search.gan.trainer import ACCURACIES_EVERY
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import EpochScores
from colgan_search.roster import Roster
from tests.fake_worker import fake_scores
from tests.unit.gan_helpers import FEATURES, IMAGE, digest, fresh, network, pictures, run, training
from tests.unit.test_resume import StopAfter

GRAPH = KnowledgeTransferGraph.from_text("G1=D:t,G2:p/G2=D:n,G1:t")


class Observed:
    """A training under telemetry, as `experiment.Run` does it."""

    def __init__(self) -> None:
        self.telemetry: Telemetry | None = None
        self.heard: dict[str, dict[int, float]] = defaultdict(dict)

    def on_start(self, state: TrainingState) -> None:
        self.telemetry = Telemetry(state.extra, GRAPH, network().z, "iteration")

    def on_losses(self, values: "object") -> None:
        listed = list(values)  # type: ignore[call-overload]
        for iteration, name, value in listed:
            self.heard[name][iteration] = value
        assert self.telemetry is not None
        self.telemetry.on_losses(listed)

    def on_epoch(self, state: TrainingState) -> None:
        assert self.telemetry is not None
        self.telemetry.on_epoch(state)

    def callbacks(self) -> dict[str, object]:
        return {"on_start": self.on_start, "on_losses": self.on_losses, "on_epoch": self.on_epoch}

    def table(self) -> list[dict[str, str]]:
        assert self.telemetry is not None
        return list(csv.DictReader(io.StringIO(self.telemetry.table([]))))


@pytest.mark.parametrize("transfer", [IMAGE, FEATURES], ids=["image", "features"])
@pytest.mark.parametrize("steps", ["per_generator", "per_batch", "joint"])
def test_no_bit_of_the_training_changes(transfer: object, steps: str) -> None:
    how = training(discriminator_steps=steps, ema=0.9)
    plain = run(GRAPH, transfer, how=how)  # type: ignore[arg-type]
    observed = run(GRAPH, transfer, how=how, **Observed().callbacks())  # type: ignore[arg-type]
    observed.extra = {}
    assert digest(observed) == digest(plain)


def test_the_table_has_the_means_of_every_epoch_and_the_gates_weights() -> None:
    one = Observed()
    run(GRAPH, runtime=RuntimeSettings(fast={"losses_every": 3}), **one.callbacks())  # type: ignore[arg-type]
    rows = one.table()
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in ("D on G1", "D on G2", "D->G1", "G2->G1", "D->G2", "G1->G2"):
        assert sorted(one.heard[name]) == list(range(1, 9))
        for epoch, row in enumerate(rows):
            mean = np.mean([one.heard[name][i] for i in range(4 * epoch + 1, 4 * epoch + 5)])
            assert float(row[name]) == pytest.approx(mean, rel=1e-4)
    # Positive and negative linear gates after 4 and after 8 of 8 iterations: t / (T - 1) at t = 3 and 7.
    assert [float(row["gate G2->G1"]) for row in rows] == pytest.approx([3 / 7, 1.0], rel=1e-4)
    assert [float(row["gate D->G2"]) for row in rows] == pytest.approx([4 / 7, 0.0], rel=1e-4)
    assert [row["gate D->G1"] for row in rows] == ["1", "1"]
    assert [row["D knows real"] == "" for row in rows] == [False, True]  # counted in iterations 0, 8, ...
    assert ACCURACIES_EVERY == 8


def test_accuracies_are_those_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    state = fresh(2)
    lessons = Lessons.of(GRAPH, IMAGE)
    real = [[pictures(8).float() / 127.5 - 1.0] * 2]
    z = [[torch.randn(8, network().z) for _ in range(2)]]
    logits: list[torch.Tensor] = []
    judge = type(state.discriminators[0]).forward_batches

    def listening(self: object, batches: list[torch.Tensor]) -> list[torch.Tensor]:
        found = judge(self, batches)  # type: ignore[arg-type]
        logits.extend(one.detach() for one in found)
        return found

    monkeypatch.setattr(type(state.discriminators[0]), "forward_batches", listening)
    right: dict[str, torch.Tensor] = {}
    discriminator_phase(state, lessons, 0.0, real, z, "per_generator", right)
    predicted = [one.argmax(dim=1).tolist() for one in logits]  # real, G1, real, G2; classes G1, G2, real
    assert {name: float(value) for name, value in right.items()} == {
        "D knows real": accuracy_score([2] * 8, predicted[0]),
        "D knows G1": accuracy_score([0] * 8, predicted[1]),
        "D knows G2": accuracy_score([1] * 8, predicted[3]),
    }


def test_an_interrupted_trainings_table_is_that_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = Observed()
    run(GRAPH, **whole.callbacks())  # type: ignore[arg-type]
    parts = Observed()
    with pytest.raises(Interrupted):
        run(GRAPH, checkpoint=CheckpointFile(tmp_path, "r"), should_stop=StopAfter(6), **parts.callbacks())  # type: ignore[arg-type]
    run(GRAPH, checkpoint=CheckpointFile(tmp_path, "r"), **parts.callbacks())  # type: ignore[arg-type]
    assert parts.table() == whole.table()


def test_what_lies_in_the_run_folder(tmp_path: Path) -> None:
    one = Observed()
    state = run(GRAPH, how=training(epochs=3), **one.callbacks())  # type: ignore[arg-type]
    assert one.telemetry is not None
    one.telemetry.write(tmp_path, [EpochScores(epoch=3, scores=fake_scores(2.5, 2))])
    table = read_curves((tmp_path / TELEMETRY_FILE).read_text(encoding="utf-8"), "here")
    assert table["epoch"] == [1, 2, 3]
    assert np.isnan(table["G1 is_mean"][:2]).all() and table["G1 is_mean"][2] == 2.5
    with np.load(tmp_path / FRAMES_FILE, allow_pickle=False) as kept:
        epochs, images = kept["epochs"], kept["images"]
    assert epochs.tolist() == [1, 2, 3] and images.shape == (3, 2, IMAGES, 1, 8, 8) and images.dtype == np.uint8
    assert (images[0] != images[2]).any()
    state.generators[0].eval()
    frames = [(int(epoch), list(moment.transpose(0, 1, 3, 4, 2))) for epoch, moment in zip(epochs, images, strict=True)]
    assert strip(frames).height > strip(frames[:1]).height
    assert film(frames)[:6] == b"GIF89a"
    titles = [axes.get_title(loc="left") for axes in curves_figure(table).axes]
    assert titles == [
        "loss of D",
        "loss of an edge, before its gate",
        "images that D knows, share",
        "weight of a gate",
        "IS",
    ]


def test_a_full_disk_is_no_reason_to_fail(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    one = Observed()
    run(GRAPH, **one.callbacks())  # type: ignore[arg-type]
    (tmp_path / "file").touch()
    assert one.telemetry is not None
    one.telemetry.write(tmp_path / "file", [])
    assert "telemetry not written" in caplog.text


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "epoch\nx\n", '"epoch\n'])
def test_a_table_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"^here: is not the table of a training"):
        read_curves(text, "here")


def test_two_discriminators_are_told_apart() -> None:
    graph = KnowledgeTransferGraph.from_text("G1=D1:t,D2:t/D1=-/D2=-")
    assert graph.roster == Roster(1, 2)
    heard: set[str] = set()
    run(graph, on_losses=lambda values: heard.update(name for _, name, _ in values))
    assert {"D1 knows real", "D2 knows real", "D1 knows G1", "D2 knows G1", "D1 on G1", "D2->G1"} <= heard


def test_tensorboard_reads_what_came(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    heard: list[tuple[int, dict[str, float]]] = []
    with tensorboard_rows(tmp_path, "seed-0") as on_row:
        telemetry: list[Telemetry] = []

        def both(epoch: int, numbers: Mapping[str, float], samples: torch.Tensor | None) -> None:
            heard.append((epoch, dict(numbers)))
            on_row(epoch, numbers, samples)

        run(
            GRAPH,
            on_start=lambda state: telemetry.append(Telemetry(state.extra, GRAPH, network().z, "iteration", both)),
            on_losses=lambda values: telemetry[0].on_losses(values),
            on_epoch=lambda state: telemetry[0].on_epoch(state),
        )
        telemetry[0].on_scores(EpochScores(epoch=2, scores=fake_scores(2.5, 2)))
    events = accumulator.EventAccumulator(str(tmp_path / "seed-0"))
    events.Reload()
    assert [(one.step, one.value) for one in events.Scalars("G1/is_mean")] == [(2, 2.5)]
    losses = [(one.step, one.value) for one in events.Scalars("loss of an edge/G2 to G1")]
    assert losses == [(epoch, pytest.approx(row["G2->G1"])) for epoch, row in heard[:2]]
    assert {"loss of D/D on G1", "gate/D to G2", "share that D knows/D knows real"} <= set(events.Tags()["scalars"])
    assert [len(events.Images(f"samples/G{n}")) for n in (1, 2)] == [2, 2]


def test_without_tensorboard_the_option_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(BadInput, match=r"pip install 'colgan-search\[tensorboard\]'"), tensorboard_rows(tmp_path, "x"):
        pass
