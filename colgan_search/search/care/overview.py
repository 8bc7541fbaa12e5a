"""A study's own page at the dashboard: a note with how it stands, and its plots; made anew as the study grows."""

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import yaml

from colgan_search.gates import get_gate
from colgan_search.records import Objective, score_text
from colgan_search.search.artifacts import plots
from colgan_search.search.artifacts.dashboard_form import NOTE, PLOT, emptied, note_attributes, note_of, plot_attributes
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care.insight import Insight, insight_of
from colgan_search.search.care.trial_notes import graph_lines
from colgan_search.search.optuna_private import study_writes, trial_rows
from colgan_search.search.ranking.estimates import Ranking, rank
from colgan_search.search.ranking.modelling import model_of_records
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord
from colgan_search.symmetry import extent

if TYPE_CHECKING:
    from colgan_search.surrogate import GraphModel

SHOWN = "colgan:shown"
"""System attribute: how many results the page was made of."""
OURS = "*Written by colgan-search"
"""Beginning of our notes: one that begins otherwise is a person's, and stays."""
GROWTH = 1.1
"""The page is made again when so many times the results are there: some 60 times in 1,500 trials, and at the end."""
PARTS = 4
"""Boxes of the boxplot: the trials of the study's first quarter, of its second, ..."""
FEWEST = 10
"""Complete trials below which no model is asked for the spread of runs."""


def refresh(study: OpenStudy, *, at_the_end_alone: bool = False) -> bool:
    """Makes the note and the plots again if the study has grown enough, or has ended, and nobody else does.

    True if that was so. Seconds for some hundred trials: the model of `best` is asked.
    """
    budget = study.slots.budget()
    if at_the_end_alone and not budget.finished:
        return False
    with study.storage.transaction() as db:
        number = trial_rows.study_id(db, study.name, study.uid)
        shown = study_writes.attributes_like(db, number, SHOWN).get(SHOWN)
        before = shown if isinstance(shown, int) else 0
        if not is_due(before, budget) or not study_writes.exchange(db, number, SHOWN, shown, budget.done):
            return False
    show(study, budget)
    return True


def is_due(shown: int, budget: Budget) -> bool:
    """Whether a page that was made of so many results is to be made again."""
    return budget.done >= max(shown + 1, int(GROWTH * shown)) or (budget.finished and budget.done != shown)


def show(study: OpenStudy, budget: Budget) -> None:
    """Makes note and plots, and writes them in one transaction."""
    objective = study.config.objective
    records = results.trials(study)
    complete = results.best_first(records, objective)
    model = cache(lambda: model_of_records(complete, study.config))  # once for all: it is what takes the time
    ranking = rank(records, study.config, model)
    insight = insight_of(study, complete, model, importance=False)
    text = note_text(study, budget, records, ranking, insight)
    figures = figures_of(study, complete, ranking, insight, model)
    with study.storage.transaction() as db:
        number = trial_rows.study_id(db, study.name, study.uid)
        old = study_writes.attributes_like(db, number, PLOT)
        new: dict[str, object] = {}
        for name, figure in figures.items():
            pieces = plot_attributes(name, figure)
            new |= pieces | emptied(pieces, old, f"{PLOT}{name}:")
        notes = study_writes.attributes_like(db, number, NOTE)
        if not (there := note_of(notes)) or there.startswith(OURS):
            version = notes.get(f"{NOTE}ver")
            pieces_of_note = note_attributes(text, version=1 + (version if isinstance(version, int) else 0))
            new |= {**pieces_of_note, **emptied(pieces_of_note, notes, f"{NOTE}str:")}
        study_writes.put_attributes(db, number, dict(sorted(new.items())), over=True)


def figures_of(
    study: OpenStudy,
    complete: list[TrialRecord],
    ranking: Ranking | None,
    insight: Insight | str,
    model: "Callable[[], GraphModel | None]",
) -> dict[str, str]:
    """Name -> plotly's JSON."""
    objective = study.config.objective
    values = [(trial.number, trial.value) for trial in complete if trial.value is not None]
    if not values or ranking is None:
        return {}
    values.sort()
    spread = _sd_of_runs(len(complete), ranking, model)
    best = plots.best_so_far(values, spread, objective.label, higher_is_better=objective.higher_is_better)
    parts = min(PARTS, len(values))
    boxes = {}
    for part in range(parts):
        some = values[part * len(values) // parts : (part + 1) * len(values) // parts]
        boxes[f"trials {some[0][0]} to {some[-1][0]}"] = [value for _, value in some]
    figures = {"best-so-far": best, "values": plots.boxes(boxes, objective.label)}
    if isinstance(insight, Insight):
        colours = {effect.gate: get_gate(effect.gate).pen.colour for effect in insight.effects}
        effects = insight.as_dict()["effects"]
        assert isinstance(effects, list)
        figures["edge-effects"] = plots.edge_effects(effects, colours, objective.label)
    return figures


def _sd_of_runs(complete: int, ranking: Ranking, model: "Callable[[], GraphModel | None]") -> float | None:
    """Of the runs of one graph: by the replicates, or else as the model believes it; None if neither knows."""
    if ranking.sd_of_runs is not None:
        return ranking.sd_of_runs
    made = model() if complete >= FEWEST else None
    return None if made is None else made.noise


def note_text(
    study: OpenStudy, budget: Budget, records: list[TrialRecord], ranking: Ranking | None, insight: Insight | str
) -> str:
    """Markdown: how far, what is best, how large the space is, and the config."""
    config = study.config
    space = extent(config.roster, len(config.search.gates))
    lines = [
        f"{OURS}; made again as the study grows. A note that you write here yourself in its place is left alone.*",
        "",
        f"**{budget.done:,} of {budget.total:,} results**{_failed(records)}.",
        "",
    ]
    lines += _best_lines(ranking, config.objective)
    lines += ["", "### Space", "", f"k = {config.k}: {space.words}; {space.bought(budget.total)}.", ""]
    if isinstance(insight, Insight):
        told = [effect for effect in insight.effects if effect.told_apart]
        told.sort(key=lambda effect: -abs(effect.mean))
        lines += ["### What matters", "", "95 % intervals; the plots show all.", ""]
        lines += [
            f"- {effect.gate} on `{effect.edges}`: {effect.mean:+.3g} [{effect.low:+.3g}, {effect.high:+.3g}]"
            for effect in told[:5]
        ] or ["No gate can be told from the mean of all graphs yet."]
        lines.append("")
    settings = yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False, allow_unicode=True)
    lines += ["### Config", "", "```yaml", settings.replace("```", "'''").rstrip(), "```"]
    return "\n".join(lines)


def _failed(records: list[TrialRecord]) -> str:
    counts = {
        "failed": sum(trial.state == "fail" for trial in records),
        "pruned": sum(trial.state == "pruned" for trial in records),
        "diverged": sum(trial.diverged is not None for trial in records),
    }
    said = [f"{count:,} {what}" for what, count in counts.items() if count]
    return f" ({', '.join(said)})" if said else ""


def _best_lines(ranking: Ranking | None, objective: Objective) -> list[str]:
    if ranking is None:
        return ["No trial is complete yet."]
    best, lucky = ranking.best, ranking.luckiest.trial
    error = best.estimate_sd if best.estimate_sd is not None else best.error
    plus = "" if error is None else f" ± {error:.2g}"
    runs = f"{best.runs} run{'' if best.runs == 1 else 's'}"
    return [
        f"### Best graph so far: {objective.label} {score_text(best.estimate, 3)}{plus}",
        "",
        f"By all runs together; {runs} of this graph, the best of them trial {best.best_run.number}.",
        "",
        *graph_lines(best.graph.to_text()),
        "",
        f"The luckiest single run is trial {lucky.number} with {score_text(lucky.value or 0.0, 3)}.",
    ]
