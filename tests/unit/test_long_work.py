"""What takes long says how far it is: from the classifier and the extractor to the terminal."""

import io

import pytest
import torch
from rich.console import Console

from colgan_search.cli.long_work_bar import LongWorkBar
from colgan_search.evaluation.classifier_training import train_classifier
from colgan_search.images import RealImages
from colgan_search.long_work import heard_by, tell
from tests.unit.test_pace import Clock


def test_a_listener_hears_only_inside_its_block() -> None:
    heard: list[tuple[str, int, int]] = []
    tell("before", 0, 1)
    with heard_by(lambda *told: heard.append(told)):
        tell("inside", 1, 2)
    tell("after", 1, 1)
    assert heard == [("inside", 1, 2)]


class _Tiny(torch.nn.Module):
    """Features and logits of four classes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 4)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.layer(images.flatten(1).float())
        return found, found


def test_the_classifiers_epochs_are_told() -> None:
    heard: list[tuple[str, int, int]] = []
    images, labels = torch.zeros(40, 1, 4, 4, dtype=torch.uint8), torch.arange(40) % 4
    real = RealImages("tiny", images, labels, ("a", "b", "c", "d"))
    with heard_by(lambda *told: heard.append(told)):
        train_classifier(_Tiny(), real, 3)
    assert heard == [("training the classifier", epoch, 3) for epoch in range(4)]


def test_without_a_terminal_there_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    bar = LongWorkBar(Console(file=io.StringIO()), clock)
    for done in range(11):
        bar("scoring G1", done, 10)
        clock.now += 10.0
    # After 30 s and 60 s and 90 s; 10 s a step.
    assert capsys.readouterr().err.splitlines() == [
        "scoring G1: 3/10, 1 min 10 s left",
        "scoring G1: 6/10, 40 s left",
        "scoring G1: 9/10, 10 s left",
    ]


def test_on_a_terminal_there_is_a_bar_after_five_seconds() -> None:
    clock, shown = Clock(), io.StringIO()
    bar = LongWorkBar(Console(file=shown, force_terminal=True, width=80), clock)
    bar("scoring G1", 0, 100)
    clock.now += 4.0
    bar("scoring G1", 10, 100)
    assert shown.getvalue() == ""
    clock.now += 4.0
    bar("scoring G1", 20, 100)
    bar("scoring G1", 100, 100)
    assert "scoring G1" in shown.getvalue() and "20/100, 32 s left" in shown.getvalue()


def test_what_is_quick_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    shown = io.StringIO()
    bar = LongWorkBar(Console(file=shown, force_terminal=True), Clock())
    for done in range(5):
        bar("scoring G1", done, 4)
    assert shown.getvalue() == "" and capsys.readouterr().err == ""
