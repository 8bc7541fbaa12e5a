"""The tables of a report, against values worked out by hand."""

from typing import Any

import numpy as np
import pytest

from colgan_search.api.report_words import duration, in_markdown
from colgan_search.figures.best_so_far import best_so_far_figure
from colgan_search.figures.leaders import Leader, leaders_figure
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import MAX_IS, Objective
from colgan_search.search.care.account import account
from colgan_search.search.ranking.estimates import GraphEstimate
from colgan_search.search.ranking.gate_matrix import Cell, gate_matrix
from colgan_search.search.study.results import TrialRecord


def _graph(text: str, mean: float, generators: tuple[float, ...]) -> GraphEstimate:
    return GraphEstimate(KnowledgeTransferGraph.from_text(text), (), mean, generators, None, None, mean, None)


def test_the_matrix_numbers_generators_by_their_scores() -> None:
    # G2 is the first graph's best: its D->G2 is D -> #1. In the second the labels agree.
    graphs = [_graph("G1=D:t,G2:p/G2=D:n", 4.0, (1.0, 4.0)), _graph("G1=D:t/G2=D:t,G1:p", 6.0, (6.0, 2.0))]
    found = gate_matrix(graphs, ["through", "cutoff", "positive", "negative"], MAX_IS)
    assert found.edges == ("D → #1", "D → #2", "#1 → #2", "#2 → #1")
    assert (found.graphs, found.mean) == (2, 5.0)
    none = Cell(0, None)
    assert found.cells[0] == (Cell(1, 6.0), none, none, Cell(1, 4.0))
    assert found.cells[1] == (Cell(2, 5.0), none, none, none)
    assert found.cells[2] == (none, none, Cell(2, 5.0), none)
    assert found.cells[3] == (none, Cell(2, 5.0), none, none)


def test_where_lower_is_better_the_lowest_is_first() -> None:
    fid = Objective(metric="fid", number="fid", label="FID", higher_is_better=False, worst=1000.0)
    found = gate_matrix([_graph("G1=D:t/G2=D:n", 3.0, (30.0, 3.0))], ["through", "negative"], fid)
    assert found.cells[found.edges.index("D → #1")] == (Cell(0, None), Cell(1, 3.0))


class _Slots:
    def __init__(self, *faults: dict[str, Any]) -> None:
        self.faults = faults
        self.trial_number = 1

    def faulted(self) -> list["_Slots"]:
        return [self] if self.faults else []


class _Study:
    def __init__(self, *faults: dict[str, Any]) -> None:
        self.slots = _Slots(*faults)


def _trial(number: int, state: str, seconds: float | None, minutes: int, **more: Any) -> TrialRecord:
    times = ("2026-03-01T12:00:00+00:00", f"2026-03-01T12:{minutes:02d}:00+00:00")
    return TrialRecord(number, state, 2.0, None, None, 1, seconds, "w", None, *times, **more)


def test_the_account_of_a_study() -> None:
    fault = {"worker": "w", "kind": "vanished", "reason": "killed", "at": 5.0, "epoch": 3}
    records = [
        _trial(0, "complete", 100.0, 2),
        _trial(1, "complete", 140.0, 10),
        _trial(2, "fail", None, 4),
        _trial(3, "pruned", 60.0, 1),
        _trial(4, "running", None, 0),
    ]
    found = account(_Study(fault, {**fault, "at": 9.0}), records)  # type: ignore[arg-type]
    assert (found.trials, found.seconds, found.mean) == (3, 300.0, 120.0)
    assert found.sd == pytest.approx(np.std([100.0, 140.0], ddof=1))
    assert (found.failed, found.failed_seconds, found.pruned) == (1, 240.0, 1)
    # 120 - 100, 600 - 140 and nothing, less the second that whole seconds may be off.
    assert found.waiting_seconds == pytest.approx(19.0 + 459.0)
    assert (found.fault_count, found.by_kind, found.faults[0].at) == (2, {"vanished": 2}, 9.0)


def test_the_best_so_far_is_numpys_running_maximum() -> None:
    values = [2.0, 5.0, 3.0, 6.0, 1.0]
    axes = best_so_far_figure(range(5), values, MAX_IS, (4.0, 3.0, 5.0)).axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "luckiest run so far"]
    assert list(line.get_ydata()) == np.maximum.accumulate(values).tolist()


def test_leaders_stand_from_top_to_bottom() -> None:
    axes = leaders_figure([Leader("a", [1.0, 2.0], 1.5, 1.0, 2.0), Leader("$b$", [3.0], None, None, None)], "IS").axes[
        0
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "$b$"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_words() -> None:
    assert [duration(value) for value in (None, 9.4, 90.0, 7200.0)] == ["–", "9 s", "1.5 min", "2.0 h"]
    assert in_markdown("a|b\n<c>`d`") == r"a\|b \<c\>\`d\`"
