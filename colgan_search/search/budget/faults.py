"""What is recorded of the faults over one slot, and which of them speak against its graph."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter

from colgan_search.search import trust

GRAPH, MACHINE, VANISHED = "graph", "machine", "vanished"
"""Kinds of faults: the graph's for all we know; a full disk or a missing file; a worker that could say nothing."""

VANISHED_REASON = "the worker vanished in the middle of the trial (killed, out of memory, paused, machine lost)"


LONGEST_REASON = 2000
"""Characters of a reason that are kept."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="allow")

    worker: trust.Word | None
    reason: trust.Text
    at: trust.Real | None
    kind: trust.Word
    epoch: trust.Number


ENTRIES = TypeAdapter(list[_Entry])


class Faults:
    """The faults over one slot, in the order of their time; `text` is how the database keeps them."""

    def __init__(self, text: str) -> None:
        """StudyError if the text is not what `text` gives."""
        where = "a slot's faults"
        read = trust.read(ENTRIES, trust.from_json(text, where), where)
        self.entries: list[dict[str, Any]] = [entry.model_dump() for entry in read]

    @property
    def text(self) -> str:
        """As JSON: `[{"worker", "reason", "at", "kind", "epoch"}]`."""
        return json.dumps(self.entries)

    @property
    def workers(self) -> set[str]:
        """Everybody to whom it happened."""
        return {entry["worker"] for entry in self.entries}

    @property
    def against_graph(self) -> int:
        """The number of different workers on which the graph itself faulted."""
        return len({entry["worker"] for entry in self.entries if entry["kind"] == GRAPH})

    @property
    def vanished(self) -> int:
        """The number of workers that vanished over it since it last got further than ever."""
        return sum(entry["kind"] == VANISHED for entry in self.entries)

    def add(self, worker: str | None, reason: str, at: float, kind: str = GRAPH, epoch: int = 0) -> None:
        """Adds a fault of this moment (seconds since 1970) in this epoch (0 = before the first)."""
        reason = reason[:LONGEST_REASON]
        self.entries.append({"worker": worker, "reason": reason, "at": at, "kind": kind, "epoch": epoch})

    def forgive(self, epoch: int) -> bool:
        """Forgets the workers that vanished before `epoch`. True if there were any."""
        kept = [entry for entry in self.entries if entry["kind"] != VANISHED or entry["epoch"] >= epoch]
        changed, self.entries = len(kept) < len(self.entries), kept
        return changed
