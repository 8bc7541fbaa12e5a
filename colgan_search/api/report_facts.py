"""What a report says, collected from the study: everything but its pictures."""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import yaml

from colgan_search.api.doubts import doubt
from colgan_search.config import StudyConfig, fingerprint, load_config, shipped_configs
from colgan_search.search.budget.slot_records import Budget
from colgan_search.search.care.account import Account, account
from colgan_search.search.care.insight import Insight, insight_of
from colgan_search.search.proposing.race import is_race, race_settings
from colgan_search.search.ranking.confirmed import Confirmed, confirmed, races_of
from colgan_search.search.ranking.estimates import GraphEstimate, Ranking, rank
from colgan_search.search.ranking.gate_matrix import GateMatrix, gate_matrix
from colgan_search.search.ranking.modelling import model_of_records
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import TrialRecord

LEADERS = 6
"""Graphs that are drawn."""
NORMAL_95 = 1.96


@dataclass(frozen=True)
class Facts:
    """One study, as it is now."""

    study: str
    config: StudyConfig
    budget: Budget
    records: tuple[TrialRecord, ...]
    complete: tuple[TrialRecord, ...]
    """Best first."""
    ranking: Ranking | None
    """None without a complete trial."""
    race: Confirmed | None
    """The study's own, or that of the confirmation of it that got furthest."""
    race_values: dict[str, list[float]]
    """Name of a candidate or a baseline -> the values of its finished runs in that race."""
    insight: Insight | str
    matrix: GateMatrix | None
    account: Account
    doubt: str | None

    @property
    def leaders(self) -> tuple[GraphEstimate, ...]:
        """The graphs that are shown, best first."""
        return () if self.ranking is None else self.ranking.graphs[:LEADERS]

    @property
    def protocol(self) -> dict[str, object]:
        """How the scores were measured, without what was not; empty without any score."""
        found = next((trial.protocol for trial in self.complete if trial.protocol), {})
        return {name: value for name, value in found.items() if value not in (None, {})}

    @property
    def config_text(self) -> str:
        """The whole config as YAML."""
        return yaml.safe_dump(self.config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What to type, and what it does."""
        shipped = self.config.name in shipped_configs()
        same = shipped and fingerprint(load_config(self.config.name)) == fingerprint(self.config)
        config = self.config.name if same else f"{self.config.name}.yaml"
        study = shlex.quote(self.study)
        again = f"colgan-search launch --config {config} --study {study} --trials {self.budget.total}"
        found = [(again, "the search" + ("" if same else f"; {config} is the config at the end of this report"))]
        if is_race(self.config):
            of = shlex.quote(race_settings(self.config.search).study)
            found = [(f"colgan-search confirm --study {of}", "this confirmation")]
        elif self.complete:
            found.append((f"colgan-search confirm --study {study}", "its leading graphs again, with new seeds"))
        if self.leaders:
            graph = shlex.quote(self.leaders[0].graph.to_text())
            found.append((f"colgan-search train --config {config} --graph {graph} --seeds 5", "the named graph alone"))
            found.append((f"colgan-search best --study {study} --export winner", "its generators as a bundle"))
        return found


def interval(one: GraphEstimate) -> tuple[float, float] | None:
    """The 95 % interval of a graph's value: the model's, or that of its mean; None where neither is known."""
    sd = one.error if one.estimate_sd is None else one.estimate_sd
    return None if sd is None else (one.estimate - NORMAL_95 * sd, one.estimate + NORMAL_95 * sd)


def facts(study: OpenStudy, say: Callable[[str], None] = lambda text: None) -> Facts:
    """Reads the study once and models it; `say` hears of the slow parts."""
    records = results.trials(study)
    objective = study.config.objective
    complete = results.best_first(records, objective)
    say(f"{len(records):,} trials; the model of their graphs")
    model = cache(lambda: model_of_records(complete, study.config))
    ranking = rank(records, study.config, model)
    race = _race(study)
    if complete and not is_race(study.config):
        say("which edges and gates matter")
        seen: Insight | str = insight_of(study, complete, model)
    else:
        seen = "a confirmation trains a few graphs many times; its search says which edges and gates matter"
        seen = seen if is_race(study.config) else "no trial is complete yet"
    gates = [gate.name for gate in study.config.search.gates]
    return Facts(
        study=study.name,
        config=study.config,
        budget=study.slots.budget(),
        records=tuple(records),
        complete=tuple(complete),
        ranking=ranking,
        race=None if race is None else confirmed(race),
        race_values={} if race is None else _race_values(race),
        insight=seen,
        matrix=None if ranking is None else gate_matrix(ranking.graphs, gates, objective),
        account=account(study, records),
        doubt=doubt(study),
    )


def _race(study: OpenStudy) -> OpenStudy | None:
    """The study itself if it is a race; else its confirmation with the most results."""
    if is_race(study.config):
        return study
    return max(races_of(study), key=lambda race: race.slots.budget().done, default=None)


def _race_values(race: OpenStudy) -> dict[str, list[float]]:
    names = {one.graph: one.name for one in race_settings(race.config.search).baselines}
    found: dict[str, list[float]] = {}
    for trial in reversed(results.completed(race)):
        if trial.graph is not None and trial.value is not None:
            found.setdefault(names.get(trial.graph, trial.graph), []).append(trial.value)
    return found
