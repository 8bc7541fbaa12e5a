"""The four gates of an edge: stateless functions of the progress of training (section 3.2 of the paper)."""

from enum import Enum

from colgan_search.errors import GraphError


class Gate(str, Enum):
    """What an edge does with its loss. The value is the name used in configs and Optuna parameters."""

    THROUGH = "through"
    CUTOFF = "cutoff"
    POSITIVE = "positive"
    NEGATIVE = "negative"

    @property
    def letter(self) -> str:
        """One letter, as in a graph's text form: t, c, p or n."""
        return self.value[0]

    def weight(self, progress: float) -> float:
        """The factor on the edge's loss, in [0, 1], at `progress` in [0, 1].

        through 1, cutoff 0 (its loss is never computed), positive linear p, negative linear 1 - p.
        """
        if not 0.0 <= progress <= 1.0:
            raise ValueError(f"progress is {progress}, but lies in [0, 1]")
        if self is Gate.THROUGH:
            return 1.0
        if self is Gate.CUTOFF:
            return 0.0
        return progress if self is Gate.POSITIVE else 1.0 - progress

    @classmethod
    def parse(cls, text: str) -> "Gate":
        """The gate of a name or of its first letter; GraphError otherwise."""
        wanted = text.strip().lower()
        for gate in cls:
            if wanted in (gate.value, gate.letter):
                return gate
        known = ", ".join(f"{gate.value} ({gate.letter})" for gate in cls)
        raise GraphError(f"unknown gate {text!r}; the gates are {known}")


def progress_at(step: int, steps: int) -> float:
    """Progress p = t / (T - 1) at step t = 0..T-1: exactly 0 at the first and 1 at the last (0 if T = 1)."""
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is not among the {steps} steps 0..{steps - 1}")
    return step / (steps - 1) if steps > 1 else 0.0
