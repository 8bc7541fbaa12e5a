"""The four gates and the progress that drives them (section 3.1 of the paper)."""

import pytest

from colgan_search.errors import GraphError
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, POSITIVE, THROUGH, Gate, parse_gate, progress_at


@pytest.mark.parametrize(
    ("gate", "at_start", "half_way", "at_end"),
    [
        (THROUGH, 1.0, 1.0, 1.0),
        (CUTOFF, 0.0, 0.0, 0.0),
        (POSITIVE, 0.0, 0.5, 1.0),
        (NEGATIVE, 1.0, 0.5, 0.0),
    ],
)
def test_weight_at_three_moments(gate: Gate, at_start: float, half_way: float, at_end: float) -> None:
    assert [gate.weight(p) for p in (0.0, 0.5, 1.0)] == [at_start, half_way, at_end]


def test_linear_gates_between_the_ends() -> None:
    assert POSITIVE.weight(0.25) == 0.25
    assert NEGATIVE.weight(0.25) == 0.75


@pytest.mark.parametrize("progress", [-0.001, 1.001, float("nan"), float("inf")])
@pytest.mark.parametrize("gate", list(PAPER_GATES))
def test_progress_outside_its_range_is_refused(gate: Gate, progress: float) -> None:
    with pytest.raises(ValueError, match=r"lies in \[0, 1\]"):
        gate.weight(progress)


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("through", THROUGH),
        ("c", CUTOFF),
        (" Positive ", POSITIVE),
        ("N", NEGATIVE),
    ],
)
def test_parse(text: str, gate: Gate) -> None:
    assert parse_gate(text) is gate


@pytest.mark.parametrize("text", ["", "thru", "linear", "t ,", "None"])
def test_an_unknown_gate_is_refused_with_the_known_ones(text: str) -> None:
    with pytest.raises(GraphError, match=r"through \(t\), cutoff \(c\), positive \(p\), negative \(n\)"):
        parse_gate(text)


def test_letters_are_distinct() -> None:
    assert [gate.letter for gate in PAPER_GATES] == ["t", "c", "p", "n"]


def test_progress_is_exactly_0_at_the_first_step_and_1_at_the_last() -> None:
    assert [progress_at(step, 5) for step in range(5)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert progress_at(9749, 9750) == 1.0
    assert progress_at(0, 1) == 0.0


@pytest.mark.parametrize(("step", "steps"), [(-1, 5), (5, 5), (0, 0)])
def test_a_step_outside_the_run_is_refused(step: int, steps: int) -> None:
    with pytest.raises(ValueError, match=f"step {step} is not among"):
        progress_at(step, steps)
