"""How long a worker pauses between two looks for a slot while others hold the last ones."""

import random

from colgan_search.search.budget.slot_records import Budget

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 8.0


class Idle:
    """The pauses of one worker: longer each time as long as no slot may have come free, at most `longest` seconds."""

    def __init__(self, longest: float) -> None:
        self._longest = min(longest, LONGEST_SECONDS)
        self._seconds = FIRST_SECONDS
        self._seen: tuple[int, int, int] | None = None

    def pause(self, budget: Budget) -> float:
        """Seconds until the next look, from how the study stands now; half of them are left to chance."""
        # Not `done` and `running`: where hundreds wait, every result of others would set all of them looking again.
        seen = budget.total, budget.free, budget.failed
        self._seconds = FIRST_SECONDS if seen != self._seen else min(2 * self._seconds, LONGEST_SECONDS)
        self._seen = seen
        return min(self._seconds, self._longest) * random.uniform(0.5, 1.0)
