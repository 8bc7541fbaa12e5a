"""The four gates and the progress that drives them (section 3.1 of the paper)."""

import copy
import pickle
from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from colgan_search import gates
from colgan_search.config import fingerprint, load_config
from colgan_search.errors import GraphError, PluginError
from colgan_search.gates import CUTOFF, NEGATIVE, PAPER_GATES, POSITIVE, THROUGH, Gate, Pen, parse_gate, progress_at
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.registry import Registry


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


# Gates of other packages


@pytest.fixture
def gates_of(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a registry that knows further gates, by name, as installed packages bring them."""

    def install(**further: Gate) -> None:
        registry = Registry(
            "gate", "colgan_search_test.gates", Gate, {gate.name: gate_address(gate) for gate in PAPER_GATES}
        )
        for name, gate in further.items():
            monkeypatch.setattr(gates, f"TEST_{name.upper()}", gate, raising=False)
            registry._points[name] = EntryPoint(name, f"colgan_search.gates:TEST_{name.upper()}", registry.group)
        monkeypatch.setattr(gates, "GATES", registry)

    return install


def gate_address(gate: Gate) -> str:
    return f"colgan_search.gates:{gate.name.upper()}"


def a_gate(name: str, letter: str, function: Callable[[float], float] = lambda p: p * p) -> Gate:
    return Gate(name, letter, function, "in its own way", Pen(name, "#112233", (), 1.0))


def test_another_gate_has_its_own_weight_and_comes_after_the_papers(gates_of: Callable[..., None]) -> None:
    late, early = a_gate("square", "sq"), a_gate("abrupt", "ab", lambda p: float(p > 0.5))
    gates_of(square=late, abrupt=early)
    assert parse_gate("square") is parse_gate("SQ") is late
    assert [parse_gate("sq").weight(p) for p in (0.0, 0.25, 1.0)] == [0.0, 0.0625, 1.0]
    assert sorted([late, NEGATIVE, early, THROUGH], key=lambda gate: gate.order) == [THROUGH, NEGATIVE, early, late]
    graph = KnowledgeTransferGraph.from_text("G1=D:t,G2:square/G2=D:ab")
    assert graph.to_text() == "G1=D:t,G2:sq/G2=D:ab"
    assert KnowledgeTransferGraph.from_text(graph.to_text()) == graph
    assert graph.describe()[0].endswith("from G2 in its own way (square)")
    assert copy.deepcopy(graph) == pickle.loads(pickle.dumps(graph)) == graph


def test_a_gate_more_changes_nobodys_fingerprint(gates_of: Callable[..., None]) -> None:
    before = {name: fingerprint(load_config(name)) for name in ("digits", "cifar10", "paper/table2-image")}
    gates_of(square=a_gate("square", "sq"))
    assert {name: fingerprint(load_config(name)) for name in before} == before


@pytest.mark.parametrize("letter", ["c", "cutoff", "t", "", "C", "a:b", "x y"])
def test_a_letter_that_is_taken_or_none_is_refused(gates_of: Callable[..., None], letter: str) -> None:
    gates_of(cosine=a_gate("cosine", letter))
    with pytest.raises(PluginError, match=rf"the gate 'cosine' .*letter '{letter}'"):
        parse_gate("cosine")
    assert parse_gate("c") is CUTOFF


def test_two_gates_with_one_letter_are_both_refused(gates_of: Callable[..., None]) -> None:
    gates_of(square=a_gate("square", "x"), other=a_gate("other", "x"), nasty=a_gate("nasty", "square"))
    for name, has in (("square", "other"), ("other", "square"), ("nasty", "square")):
        with pytest.raises(PluginError, match=f"the gate '{name}' .* which the gate '{has}'"):
            parse_gate(name)


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_a_weight_outside_its_range_is_the_gates_fault(weight: float) -> None:
    with pytest.raises(PluginError, match=f"the gate 'odd' weighs {weight} at progress 0.5"):
        a_gate("odd", "o", lambda p: weight).weight(0.5)


def test_a_gate_that_weighs_wrong_is_refused_before_any_training(gates_of: Callable[..., None]) -> None:
    gates_of(late=a_gate("late", "l", lambda p: 2.0 * p))
    with pytest.raises(PluginError, match=r"the gate 'late' weighs 2\.0 at progress 1\.0"):
        parse_gate("late")
