"""Notes on trials for the dashboard: on those that were among the best when they ended, and on those that failed."""

import sqlalchemy as sa
from optuna.trial import TrialState

from colgan_search.errors import GraphError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import Objective, Outcome, score_text
from colgan_search.search.artifacts.dashboard_form import note_attributes
from colgan_search.search.budget.slot_records import Closing
from colgan_search.search.optuna_private import study_writes, trial_rows
from colgan_search.search.study.opening import OpenStudy

LEADERS = 10
"""So many of the best have a note when they end: some 60 of 1,500 trials."""


def note_trial(study: OpenStudy, closing: Closing, outcome: Outcome | None) -> None:
    """Writes a note on a trial that has ended, if it leads or has failed; none over a note that is there."""
    with study.storage.transaction() as db:
        number = trial_rows.study_id(db, study.name, study.uid)
        if outcome is None:
            text = failed_text(closing)
        elif outcome.scores is None or (place := _place(db, number, study.config.objective, outcome.value)) > LEADERS:
            return
        else:
            text = leader_text(outcome, closing, place, study.config.objective)
        which = trial_rows.numbered(number, closing.trial_number)
        trial = db.execute(sa.select(trial_rows.trials.c.trial_id).where(which)).scalar_one()
        study_writes.put_attributes(db, number, note_attributes(text, trial), over=False)


def _place(db: sa.Connection, study: int, objective: Objective, value: float) -> int:
    """1 for the best of the complete trials so far."""
    values, trials = trial_rows.values, trial_rows.trials
    better = values.c.value > value if objective.higher_is_better else values.c.value < value
    found = sa.select(sa.func.count()).select_from(trials.join(values, values.c.trial_id == trials.c.trial_id))
    ours = (trials.c.study_id == study) & (trials.c.state == TrialState.COMPLETE)
    return 1 + int(db.execute(found.where(ours, better)).scalar_one())


def leader_text(outcome: Outcome, closing: Closing, place: int, objective: Objective) -> str:
    """Markdown: what it was when it ended, its graph in words, its generators' scores."""
    assert outcome.scores is not None
    value = score_text(outcome.value, 3)
    lines = [
        f"**{objective.label} {value}**: {'the best' if place == 1 else f'number {place}'} of the trials so far when "
        "it ended. One run is luck in part; the study's note says which graph is best by all runs.",
        "",
        *graph_lines(outcome.graph),
        "",
        *score_lines(outcome),
        "",
        f"Seed {outcome.seed}, {outcome.seconds / 60:.1f} min on {outcome.device}.",
    ]
    if closing.faults:
        lines += ["", "What happened to it on the way:", "", *fault_lines(closing)]
    return "\n".join(lines)


def failed_text(closing: Closing) -> str:
    """Markdown: why a graph was given up."""
    return "\n".join(
        ["**Given up**: another graph takes its place in the budget. What happened:", "", *fault_lines(closing)]
    )


def fault_lines(closing: Closing) -> list[str]:
    """One line per fault; a worker's words are shown as they are."""
    return [f"- `{_plain(fault['worker'] or 'a worker')}`: `{_plain(fault['reason'])}`" for fault in closing.faults]


def graph_lines(text: str) -> list[str]:
    """What every generator learns from whom, a line each."""
    lines = [f"`{_plain(text)}`", ""]
    try:
        graph = KnowledgeTransferGraph.from_text(text)
    except GraphError:
        return lines
    for node in [*graph.roster.generator_nodes, *graph.roster.discriminator_nodes]:
        taught = [
            f"{edge.source.name} ({gate.name})"
            for edge, gate in graph.items()
            if edge.target == node and gate.name != "cutoff"
        ]
        if taught or node.letter == "G":
            lines.append(f"- {node.name} learns from {', '.join(taught) if taught else 'nobody'}")
    return lines


def score_lines(outcome: Outcome) -> list[str]:
    """A table: a row per generator, a column per number."""
    assert outcome.scores is not None
    names = list(outcome.scores.generators[0].metrics)
    rows = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for number, score in enumerate(outcome.scores.generators, start=1):
        name = f"**G{number}**" if number == outcome.scores.best_generator else f"G{number}"
        rows.append(f"| {name} | {' | '.join(score_text(score.metrics[key], 3) for key in names)} |")
    return rows


def _plain(text: str) -> str:
    """Without what would end a piece of code in Markdown."""
    return " ".join(text.replace("`", "'").split())[:300]
