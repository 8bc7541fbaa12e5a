"""What a slot keeps of an accepted result: the outcome, who computed it and what it has left to see, as JSON."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, TypeAdapter

from colgan_search.records import Outcome, Scores
from colgan_search.search import trust

OUTCOME, WORKER = TypeAdapter(Outcome), TypeAdapter[str](trust.Word)

ARTIFACT = r"^artifacts:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""The system attribute in which Optuna keeps the record of one artifact."""
ARTIFACTS = TypeAdapter[dict[str, str]](
    Annotated[
        dict[Annotated[str, Field(strict=True, pattern=ARTIFACT)], Annotated[str, Field(strict=True, max_length=1000)]],
        Field(max_length=100),
    ]
)


def outcome_text(worker: str, outcome: Outcome, artifacts: Mapping[str, str] = {}) -> str:
    """The text of a worker's result; the same result has the same text."""
    more = {"artifacts": dict(artifacts)} if artifacts else {}
    return json.dumps({"worker": worker, **more, **outcome.model_dump(mode="json")}, sort_keys=True)


def outcome_of(text: str, k: int, where: str) -> tuple[str, Outcome]:
    """The worker and its result. StudyError, which begins with `where`, if it is not one of k generators."""
    data = trust.from_json(text, where)
    worker = data.pop("worker", None) if isinstance(data, dict) else None
    if isinstance(data, dict):
        data.pop("artifacts", None)
    outcome = trust.read(OUTCOME, data, where)
    for scores in _all_scores(outcome):
        trust.require_length(scores.generators, k, f"{where}: generators")
    return trust.read(WORKER, worker, f"{where}: worker"), outcome


def artifacts_of(text: str, where: str) -> dict[str, str]:
    """The trial's system attributes by which its artifacts are found. StudyError, which begins with `where`."""
    data = trust.from_json(text, where)
    found = data.get("artifacts", {}) if isinstance(data, dict) else {}
    return trust.read(ARTIFACTS, found, f"{where}: artifacts")


def _all_scores(outcome: Outcome) -> list[Scores]:
    moments = [moment.scores for moment in outcome.history]
    return [*moments, *outcome.variants.values(), *([] if outcome.scores is None else [outcome.scores])]
