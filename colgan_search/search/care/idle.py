"""How long a worker pauses between two looks for a slot while others hold the last ones."""

import random

from colgan_search.search.budget.slot_records import Budget

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 8.0


class Idle:
    """The pauses of one worker: longer each time as long as nothing changes, at most `longest` seconds."""

    def __init__(self, longest: float) -> None:
        self._longest = min(longest, LONGEST_SECONDS)
        self._seconds = FIRST_SECONDS
        self._seen: Budget | None = None

    def pause(self, budget: Budget) -> float:
        """Seconds until the next look, from how the study stands now; half of them are left to chance."""
        self._seconds = FIRST_SECONDS if budget != self._seen else min(2 * self._seconds, LONGEST_SECONDS)
        self._seen = budget
        return min(self._seconds, self._longest) * random.uniform(0.5, 1.0)
