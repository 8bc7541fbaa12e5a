"""What a slot can be, and what is said of slots."""

from dataclasses import dataclass
from typing import Any

FREE, LEASED, ACCEPTED, DONE, FAILING, FAILED = "free", "leased", "accepted", "done", "failing", "failed"
CLOSED = (ACCEPTED, DONE, FAILING, FAILED)
LOST = (FAILING, FAILED)
"""States of a slot whose graph faulted too often; another slot is opened in its place."""


@dataclass(frozen=True)
class Claim:
    """A slot that a worker holds. `token` fences it: a later claim of the same slot has a larger one."""

    slot: int
    token: int
    trial_number: int | None
    taken_over: bool


@dataclass(frozen=True)
class Closing:
    """A slot whose end is recorded here but not yet told to Optuna."""

    slot: int
    trial_number: int
    worker: str | None
    outcome: str | None
    faults: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Budget:
    """How far a study is. `total` results are wanted; failed slots do not count."""

    total: int
    done: int
    running: int
    free: int
    failed: int
    draining: bool = False
    """True if all workers are asked to drain (see `draining`)."""

    @property
    def finished(self) -> bool:
        """True when every wanted result has been accepted."""
        return self.done >= self.total
