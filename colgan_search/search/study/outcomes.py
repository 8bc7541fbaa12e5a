"""What a slot keeps of an accepted result: the outcome and who computed it, as JSON."""

import json

from pydantic import TypeAdapter

from colgan_search.records import Outcome, Scores
from colgan_search.search import trust

OUTCOME, WORKER = TypeAdapter(Outcome), TypeAdapter[str](trust.Word)


def outcome_text(worker: str, outcome: Outcome) -> str:
    """The text of a worker's result; the same result has the same text."""
    return json.dumps({"worker": worker, **outcome.model_dump(mode="json")}, sort_keys=True)


def outcome_of(text: str, k: int, where: str) -> tuple[str, Outcome]:
    """The worker and its result. StudyError, which begins with `where`, if it is not one of k generators."""
    data = trust.from_json(text, where)
    worker = data.pop("worker", None) if isinstance(data, dict) else None
    outcome = trust.read(OUTCOME, data, where)
    for scores in _all_scores(outcome):
        trust.require_length(scores.generators, k, f"{where}: generators")
    return trust.read(WORKER, worker, f"{where}: worker"), outcome


def _all_scores(outcome: Outcome) -> list[Scores]:
    moments = [moment.scores for moment in outcome.history]
    return [*moments, *outcome.variants.values(), *([] if outcome.scores is None else [outcome.scores])]
