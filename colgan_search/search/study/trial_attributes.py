"""What a trial's user attributes are called."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from colgan_search.records import Cut
from colgan_search.search import trust

GRAPH, SEED = "graph", "seed"
"""Set before it runs."""
ROLE = "role"
"""Set before it runs, in a race (`confirm`): what the run is for, one of `racing.rules.ROLES`."""
SCORES = "scores"
"""Its scores, whole, set when it is complete: what `results` reads."""
CUT = "cut"
"""Where the pruner would have it end: of a pruned trial, and of a complete one that was finished all the same."""
REUSED = "reused_from"
"""Of a trial that was taken over from another study: which one, and its number there."""

CUT_RECORD = TypeAdapter(Cut)


def recorded_cut(attributes: Mapping[str, Any], where: str) -> Cut | None:
    """The cut among a trial's user attributes, if there is one. StudyError, which begins with `where`, if it is bad."""
    return trust.read(CUT_RECORD, attributes[CUT], f"{where}: {CUT}") if CUT in attributes else None
