"""Fills a study with finished trials in bulk, as its workers would have left them."""

import json
import random
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.trial import TrialState

from colgan_search.graph import KnowledgeTransferGraph
from colgan_search.records import EpochScores, GeneratorScore, Outcome, Scores
from colgan_search.search.budget.slot_records import DONE
from colgan_search.search.database.tables import slots
from colgan_search.search.delivering.deliver import attributes
from colgan_search.search.optuna_private import trial_rows, trial_writes
from colgan_search.search.proposing import space
from colgan_search.search.study.opening import OpenStudy
from colgan_search.search.study.trial_attributes import GRAPH, SEED
from tests.fake_worker import PROTOCOL, fake_value

AT_ONCE = 1000
"""Trials in one transaction."""


def fill(study: OpenStudy, count: int, seed: int = 0) -> None:
    """Adds `count` complete trials of random graphs to an empty study, and their slots."""
    random_graphs = random.Random(seed)
    for first in range(0, count, AT_ONCE):
        with study.storage.transaction() as db:
            number = trial_rows.study_id(db, study.name, study.uid)
            next_id = (db.execute(sa.select(sa.func.max(trial_rows.trials.c.trial_id))).scalar() or 0) + 1
            rows: dict[sa.Table, list[dict[str, Any]]] = {}
            for i in range(first, min(first + AT_ONCE, count)):
                _add(rows, study, number, next_id + i - first, i, random_graphs)
            for table, values in rows.items():
                db.execute(table.insert(), values)
            if not study.storage.is_sqlite:
                sequence = (
                    "SELECT setval(pg_get_serial_sequence('trials', 'trial_id'), (SELECT max(trial_id) FROM trials))"
                )
                db.execute(sa.text(sequence))
    if not study.storage.is_sqlite:
        with study.storage.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
            db.execute(sa.text("ANALYZE"))  # as the server does by itself after a while


def _add(
    rows: dict[sa.Table, list[dict[str, Any]]],
    study: OpenStudy,
    study_id: int,
    trial_id: int,
    number: int,
    random_graphs: random.Random,
) -> None:
    gates = [gate.name for gate in study.config.search.gates]
    distributions = space.distributions(study.config.roster, study.config.search.gates)
    choice = {name: random_graphs.choice(gates) for name in distributions}
    graph: KnowledgeTransferGraph = space.graph_of(choice, study.config.roster)
    value = fake_value(graph.to_text(), number)
    scores = Scores(
        generators=tuple(
            GeneratorScore(metrics={"is_mean": value if i == 0 else 1.0, "is_std": 0.0}) for i in range(study.config.k)
        ),
        protocol=PROTOCOL,
    )
    outcome = Outcome(
        graph=graph.to_text(),
        seed=number,
        value=value,
        scores=scores,
        history=(EpochScores(epoch=1, scores=scores),),
        iterations=1,
        seconds=1.0,
        device="cpu",
    )
    time = trial_writes.utc()
    notes = {GRAPH: graph.to_text(), SEED: number} | attributes(outcome, "filled")
    rows.setdefault(trial_rows.trials, []).append(
        {
            "trial_id": trial_id,
            "study_id": study_id,
            "number": number,
            "state": TrialState.COMPLETE,
            "datetime_start": time,
            "datetime_complete": time,
        }
    )
    rows.setdefault(trial_rows.params, []).extend(
        {
            "trial_id": trial_id,
            "param_name": name,
            "param_value": float(gates.index(choice[name])),
            "distribution_json": distribution_to_json(distribution),
        }
        for name, distribution in distributions.items()
    )
    rows.setdefault(trial_rows.user_attributes, []).extend(
        {"trial_id": trial_id, "key": key, "value_json": json.dumps(note)} for key, note in notes.items()
    )
    rows.setdefault(trial_rows.values, []).append(
        {"trial_id": trial_id, "objective": 0, "value": value, "value_type": "FINITE"}
    )
    rows.setdefault(trial_rows.steps, []).append(
        {"trial_id": trial_id, "step": 1, "intermediate_value": value, "intermediate_value_type": "FINITE"}
    )
    rows.setdefault(slots, []).append(
        {
            "uid": study.uid,
            "slot": number,
            "state": DONE,
            "token": 1,
            "trial_number": number,
            "worker": "filled",
            "lease_until": 0.0,
            "faults": "[]",
            "outcome": json.dumps({"worker": "filled", **outcome.model_dump(mode="json")}, sort_keys=True),
        }
    )
