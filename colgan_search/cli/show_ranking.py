"""How a study's estimates look in the terminal: what a graph is ranked by, and how far its runs can be trusted."""

from __future__ import annotations  # so that the types of the search are not imported for their names

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from colgan_search.cli.console import console, out
from colgan_search.records import Objective, score_text

if TYPE_CHECKING:
    from colgan_search.search.ranking.estimates import GraphEstimate, Ranking


def estimate(ranking: Ranking, objective: Objective) -> None:
    """The best graph's estimate and its runs, and the luckiest single run beside it."""
    best, luckiest, label = ranking.best, ranking.luckiest, objective.label
    out(f"  estimated {label} {estimate_text(best)}, by {runs_text(best)}; the best of {len(ranking.graphs)} by it")
    trial = luckiest.trial
    same = "" if luckiest.of is not best else ", of this graph"
    out(
        f"  the luckiest single run, the paper's way: trial {trial.number}, {label} {score_text(trial.value or 0.0, 3)}"
        f"{same}; {flattery_text(ranking)}"
    )


def graphs(found: Sequence[GraphEstimate], objective: Objective) -> None:
    """One row per graph."""
    label = objective.label
    table = Table(f"estimated {label}", "runs", f"mean {label}", "standard error", "trials", "graph", box=None)
    for one in found:
        table.add_row(
            estimate_text(one),
            str(one.runs),
            score_text(one.mean, 3),
            "" if one.error is None else f"{one.error:.3f}",
            ", ".join(str(trial.number) for trial in one.trials[:6]) + (", ..." if one.runs > 6 else ""),
            one.best_run.graph or "",
        )
    console().print(table)


def estimate_text(one: GraphEstimate) -> str:
    """`6.051 +- 0.048`: the model's mean and standard deviation; the mean of the runs where it was not asked."""
    return score_text(one.estimate, 3) + ("" if one.estimate_sd is None else f" +- {one.estimate_sd:.3f}")


def runs_text(one: GraphEstimate) -> str:
    """`3 runs, mean 6.102, standard error 0.050`."""
    error = "" if one.error is None else f", standard error {one.error:.3f}"
    mean = f"mean {score_text(one.mean, 3)}" if one.runs > 1 else f"of {score_text(one.mean, 3)}"
    return f"{one.runs} runs, {mean}{error}" if one.runs > 1 else f"1 run {mean}{error}"


def flattery_text(ranking: Ranking) -> str:
    """How much the luckiest run flatters its graph, and how that is known."""
    luckiest = ranking.luckiest
    by = f"{luckiest.flattered_by:+.3f}"
    if luckiest.measured:
        others = luckiest.of.runs - 1
        return f"it flatters its graph by {by}, as {'its other run says' if others == 1 else f'{others} others say'}"
    return f"it flatters its graph by {by}, as the model says"
