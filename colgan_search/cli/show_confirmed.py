"""How the answer of a confirmation looks in the terminal."""

from __future__ import annotations  # so that the types of the api are not imported for their names

from typing import TYPE_CHECKING

from rich.table import Table

from colgan_search.cli.console import console, out
from colgan_search.records import score_text

if TYPE_CHECKING:
    from colgan_search.evaluation.comparing import Difference
    from colgan_search.racing.answer import AgainstBaseline, Mean
    from colgan_search.search.ranking.confirmed import Confirmed


def answer(found: Confirmed) -> None:
    """The winner with its interval, what the search flattered it by, the baselines, the candidates."""
    said, label = found.answer, found.objective.label
    out(f"confirmation {found.study} of study {found.of}: {said.done} of {said.wanted} runs done")
    if said.winner is None:
        out(f"  no winner is named yet{_leads(found)}")
    else:
        out(f"  winner: {said.winner}")
        if said.mean is not None:
            out(f"  {label} {mean_text(said.mean)}, of runs begun after it was named")
        if said.best_probability is not None and len(said.standings) > 1:
            how = "the race ended there" if said.separated else "the race ended with its budget, not separated"
            chance = f"{said.best_probability:.0%}" if said.best_probability < 0.995 else "more than 99%"
            out(f"  the best of the {len(said.standings)} candidates with probability {chance} ({how})")
        _flattery(found)
        for one in said.baselines:
            out(f"  {_against(found, one)}")
    _standings(found)


def state_line(found: Confirmed) -> str:
    """The race in one line."""
    said = found.answer
    if said.winner is None:
        return f"race of {len(said.standings)} graphs: no winner yet{_leads(found)}"
    mean = "" if said.mean is None else f", {found.objective.label} {mean_text(said.mean)}"
    return f"race of {len(said.standings)} graphs: winner {said.winner}{mean}"


def mean_text(mean: Mean) -> str:
    """`6.05 (95% interval 5.98 to 6.12, 10 runs)`."""
    if mean.low is None or mean.high is None:
        return f"{score_text(mean.value, 3)} (1 run)"
    ends = f"{score_text(mean.low, 3)} to {score_text(mean.high, 3)}"
    return f"{score_text(mean.value, 3)} (95% interval {ends}, {mean.runs} runs)"


def _leads(found: Confirmed) -> str:
    said = found.answer
    if said.leader is None or said.best_probability is None:
        return ""
    return f"; {said.leader} leads, the best with probability {said.best_probability:.0%}"


def _flattery(found: Confirmed) -> None:
    estimate, luckiest = found.estimate_flattered_by, found.luckiest_flattered_by
    if estimate is not None and luckiest is not None:
        out(f"  the search's estimate of it flattered by {difference_text(estimate)}")
        out(f"  its luckiest single run there, the paper's way, by {difference_text(luckiest)}")
    elif not found.same_length:
        out("  its trainings are not as long as the search's: their values are not compared")


def _against(found: Confirmed, one: AgainstBaseline) -> str:
    name = found.baseline_names.get(one.baseline, one.baseline)
    if one.same:
        return f"against {name}: the winner is this baseline"
    if one.difference is None or one.mean is None:
        return f"against {name}: too few runs yet"
    verdict = {"yes": "better", "no": "worse"}.get(one.verdict.value, one.verdict.value)
    if not found.objective.higher_is_better:
        verdict += " (lower is better)"
    return f"against {name}, {mean_text(one.mean)}: {difference_text(one.difference)}: {verdict}"


def difference_text(difference: Difference) -> str:
    """`+0.12 (95% interval 0.02 to 0.22)`."""
    return f"{difference.value:+.3f} (95% interval {difference.low:+.3f} to {difference.high:+.3f})"


def _standings(found: Confirmed) -> None:
    label = found.objective.label
    table = Table("candidate", "runs", f"mean {label}", "believed", "best with", "search said", box=None)
    said = {one.graph: one for one in found.settings.candidates}
    for one in found.answer.standings:
        before = said[one.graph]
        table.add_row(
            one.graph,
            str(one.runs),
            "" if one.mean is None else score_text(one.mean, 3),
            "" if one.believed is None else f"{score_text(one.believed, 3)} +- {one.believed_sd or 0.0:.3f}",
            "" if one.best_probability is None else f"{one.best_probability:.0%}",
            f"{score_text(before.estimate, 3)} ({before.runs} {'run' if before.runs == 1 else 'runs'})",
        )
    console().print(table)
