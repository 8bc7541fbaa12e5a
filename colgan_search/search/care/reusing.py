"""Takes over graphs that another study of the database has measured in the same way, as replicates.

Each is a complete trial with the attribute `reused_from`, bound to no slot: it counts in the ranking and is shown to
the sampler, wherever a worker runs, and takes nothing from the study's budget.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial

from colgan_search.config import StudyConfig, differences
from colgan_search.errors import GraphError, StudyError
from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import differences as protocol_differences
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import space
from colgan_search.search.study import results
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.results import Origin, TrialRecord
from colgan_search.search.study.shared_files import SharedFiles
from colgan_search.search.study.trial_attributes import GRAPH, REUSED, SCORES, SEED

OF_THE_SEARCH = ("search.", "pruning.", "seed")
"""Settings that say which graphs are measured, not how."""
AIM = "search.objective"
"""The one among them that decides what a graph's value is."""

TAKEN = ("seconds", "worker", "device", "diverged", "classifier_accuracy")
"""User attributes that go with a trial, beside its graph, seed and scores."""


@dataclass(frozen=True)
class Reused:
    """What became of another study's complete trials."""

    study: str
    taken: int
    known: int
    """Taken over before, or the same graph trained with the same seed: no second measurement."""
    outside: int
    """Graphs with a gate that this study does not search."""
    same_seed: bool
    """True if both studies have the same seed: random proposals are then those of the other one again."""

    @property
    def words(self) -> str:
        """In one line."""
        rest = [f"{self.known} known already"] if self.known else []
        rest += [f"{self.outside} with gates that this study does not search"] if self.outside else []
        text = f"reuse {self.study}: {self.taken} measured graphs taken over{''.join(f', {one}' for one in rest)}"
        if self.same_seed:
            text += (
                "; both studies have the same seed: what is proposed at random is proposed again (give another seed)"
            )
        return text


def require_same_measure(config: StudyConfig, origin: OpenStudy) -> None:
    """StudyError, which names the keys, if the other study's scores are not comparable with those of `config`."""
    wrong = differences(config, origin.config, lambda key: key == AIM or not key.startswith(OF_THE_SEARCH))
    if wrong:
        raise StudyError(
            f"`reuse` {origin.name}: its graphs were measured otherwise and cannot be taken over "
            f"(this study | {origin.name}): {'; '.join(wrong)}"
        )


def reuse(study: OpenStudy, origin: OpenStudy) -> Reused:
    """Adds the complete trials of `origin`, of the same database, to `study`. A second time adds only what is new.

    A study without a classifier of its own gets the other's, so that its trials are scored by the same one.
    StudyError, and nothing added, if the other's scores are not comparable.
    """
    if study.uid == origin.uid:
        raise StudyError(f"`reuse` {origin.name}: that is the study itself; name another")
    require_same_measure(study.config, origin)
    records = [trial for trial in results.trials(origin) if trial.state == "complete" and trial.value is not None]
    own = results.trials(study)
    _require_one_protocol(origin.name, own, records)
    if not SharedFiles(study).take_from(SharedFiles(origin)):
        raise StudyError(
            f"`reuse` {origin.name}: its graphs were scored by another classifier than this study's; only a study "
            "that has none yet can take them over (a new name: `study` NAME)"
        )
    raw = {trial.number: trial for trial in origin.trials()}
    taken = outside = 0
    with study.storage.transaction() as db:
        number_of_study = trial_rows.study_id(db, study.name, study.uid, lock=True)
        which = trial_rows.from_number(number_of_study, 0)
        there = trial_rows.read(
            db, which, f"study {study.name!r}: its trials", (GRAPH, SEED, REUSED), with_params=False
        )
        known = {_origin_key(trial.user_attrs[REUSED]) for trial in there if REUSED in trial.user_attrs}
        runs = {(trial.user_attrs.get(GRAPH), trial.user_attrs.get(SEED)) for trial in there}
        for record in records:
            first = record.reused_from or Origin(study=origin.name, uid=origin.uid, number=record.number)
            if (first.uid, first.number) in known or (record.graph, record.seed) in runs:
                continue
            chosen = _chosen(record, study)
            if chosen is None:
                outside += 1
                continue
            _insert(db, number_of_study, raw[record.number], record, first, chosen)
            known.add((first.uid, first.number))
            runs.add((record.graph, record.seed))
            taken += 1
    known_already = len(records) - taken - outside
    return Reused(origin.name, taken, known_already, outside, study.config.seed == origin.config.seed)


def _require_one_protocol(name: str, own: Iterable[TrialRecord], others: Iterable[TrialRecord]) -> None:
    """StudyError if the trials that this study has were scored by another protocol than those to be taken over."""
    ours, theirs = (next((trial.protocol for trial in trials if trial.protocol), None) for trials in (own, others))
    found = protocol_differences(ours, theirs) if ours and theirs else {}
    if not found:
        return
    wrong = "; ".join(f"{key}: {a!r} | {b!r}" for key, (a, b) in found.items())
    raise StudyError(f"`reuse` {name}: its graphs were scored by another protocol (this study | {name}): {wrong}")


def _origin_key(data: Any) -> tuple[Any, Any]:
    return (data.get("uid"), data.get("number")) if isinstance(data, dict) else (None, None)


def _chosen(record: TrialRecord, study: OpenStudy) -> dict[str, tuple[Any, Any]] | None:
    """The parameters of the record's graph in this study's space; None if it is not in it."""
    gates = study.config.search.gates
    try:
        assert record.graph is not None  # every complete trial has one
        params = space.params_of(KnowledgeTransferGraph.from_text(record.graph), gates)
    except GraphError:
        return None
    distributions = space.distributions(study.config.roster, gates)
    return {name: (distributions[name], value) for name, value in params.items()}


def _insert(
    db: Any, study: int, trial: FrozenTrial, record: TrialRecord, first: Origin, chosen: dict[str, tuple[Any, Any]]
) -> None:
    attributes = {key: trial.user_attrs[key] for key in TAKEN if key in trial.user_attrs}
    attributes |= {GRAPH: record.graph, SEED: record.seed, REUSED: first.model_dump()}
    if record.scores is not None:
        attributes[SCORES] = record.scores.model_dump(mode="json")
        attributes |= record.scores.arrays() | {"best_generator": record.best_generator}
    number = trial_writes.count(db, study)
    made = trial_writes.insert(db, study, number)
    trial_writes.add(db, made, chosen, {})
    trial_writes.finish(db, study, number, record.value, attributes, trial.intermediate_values)
    trial_writes.set_times(db, made, trial.datetime_start, trial.datetime_complete)
