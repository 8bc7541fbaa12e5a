"""`train`'s bar on a terminal, its lines elsewhere; the seconds left by a clock that the test sets."""

import io
import re

import pytest
from rich.console import Console

from colgan_search.cli.training_view import TrainingView
from colgan_search.records import GeneratorScore, Progress, Protocol, Scores
from tests.unit.test_pace import Clock

PROTOCOL = Protocol(
    extractor="classifier", weights_digest="0" * 16, resolution=8, channels=1, images=9, splits=1, reference=None
)


def progress(epoch: int, score: float | None = None) -> Progress:
    """Of 4 epochs of 10 iterations."""
    scores = (
        None
        if score is None
        else Scores(generators=(GeneratorScore(metrics={"is_mean": score, "is_std": 0.0}),), protocol=PROTOCOL)
    )
    return Progress(epoch=epoch, epochs=4, iteration=10 * epoch, iterations=40, scores=scores)


def terminal(width: int | None) -> tuple[Console, io.StringIO]:
    """One of so many columns, or a pipe."""
    file = io.StringIO()
    return Console(file=file, width=width, force_terminal=width is not None, _environ={"TERM": "xterm"}), file


def test_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with TrainingView(2, terminal(None)[0], clock) as view:
        view.on_progress(0, progress(0))
        for iteration in range(1, 11):
            clock.now += 2.0
            view.on_iteration(0, iteration)
        view.on_progress(0, progress(1, 3.25))
        view.on_progress(0, progress(1))
        clock.now += 60.0
        view.on_progress(0, progress(4))
        view.on_progress(1, progress(0))
    assert capsys.readouterr().err.splitlines() == [
        "seed 0: epoch 0/4",
        "seed 0: epoch 1/4, max IS 3.250, 2 min 20 s left",
        "seed 0: epoch 1/4, 2 min 20 s left",
        "seed 0: epoch 4/4",
        "seed 1: epoch 0/4",
    ]


def test_what_was_done_before_is_no_measure_of_speed() -> None:
    clock = Clock()
    view = TrainingView(3, terminal(None)[0], clock)
    view.on_progress(1, progress(2))  # seed 0 is finished, seed 1 is taken up in its middle
    assert view.seconds_left() is None
    for iteration in range(21, 31):
        clock.now += 1.0
        view.on_iteration(1, iteration)
    assert view.seconds_left() == pytest.approx(10 + 40)


@pytest.mark.parametrize("width", [80, 200])
def test_a_bar_on_a_terminal(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    console, file = terminal(width)
    with TrainingView(1, console, clock) as view:
        view.on_progress(0, progress(0))
        view.on_progress(0, progress(1, 3.25))
        for iteration in range(11, 21):
            clock.now += 1.0
            view.on_iteration(0, iteration)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue()).rstrip().splitlines()[-1]
    assert len(last) <= width
    assert "training" in last and "━" in last
    assert "epoch 1/4, iteration 20/40, max IS 3.250, 20 s left" in last
    assert capsys.readouterr().err == "", "no lines beside the bar"
