"""The gates of an edge: stateless functions of the progress of training (section 3.2 of the paper), and their registry.

A gate is one record. The paper's four are built in; others come through the entry points `colgan_search.gates`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from colgan_search.errors import GraphError, PluginError, UnknownMember
from colgan_search.registry import NAME, Registry


@dataclass(frozen=True)
class Pen:
    """How edges of one gate are drawn."""

    label: str
    colour: str
    dashes: tuple[float, ...]
    """On and off lengths in line widths; empty for a solid line."""
    width: float
    """In points."""


@dataclass(frozen=True, eq=False, repr=False)
class Gate:
    """What an edge does with its loss. There is one object for each name."""

    name: str
    """In configs, in Optuna's parameters and in whole words in a graph's text form."""
    letter: str
    """Short, as in a graph's text form: t, c, p or n; no other gate's name or letter."""
    function: Callable[[float], float]
    """Progress in [0, 1] -> the factor on the edge's loss, in [0, 1]."""
    words: str
    """How the target learns from the source, in English: `at full weight`."""
    pen: Pen

    def weight(self, progress: float) -> float:
        """The factor on the edge's loss, in [0, 1], at `progress` in [0, 1]. PluginError if the gate's is outside."""
        if not 0.0 <= progress <= 1.0:
            raise ValueError(f"progress is {progress}, but lies in [0, 1]")
        weight = self.function(progress)
        if not 0.0 <= weight <= 1.0:
            raise PluginError(f"the gate {self.name!r} weighs {weight} at progress {progress}; weights lie in [0, 1]")
        return weight

    @property
    def ramps(self) -> bool:
        """True if its weight is not the same all through the training."""
        return len({self.weight(quarter / 4) for quarter in range(5)}) > 1

    @property
    def order(self) -> tuple[int, str]:
        """Gates sort by it: the paper's four first, in the paper's order, then the others by name."""
        return (PAPER_GATES.index(self) if self in PAPER_GATES else len(PAPER_GATES), self.name)

    def __repr__(self) -> str:
        return f"Gate({self.name})"

    def __reduce__(self) -> tuple[Callable[[str], "Gate"], tuple[str]]:
        return get_gate, (self.name,)  # copies and pickles are the one object

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        def chosen(value: Any) -> Gate:
            if isinstance(value, Gate):
                return value
            if not isinstance(value, str):
                raise ValueError("a gate is a name, such as through")
            try:
                return get_gate(value)
            except (UnknownMember, PluginError) as error:
                raise ValueError(str(error)) from None

        return core_schema.no_info_plain_validator_function(
            chosen, serialization=core_schema.plain_serializer_function_ser_schema(lambda gate: gate.name)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(GATES.names())}


THROUGH = Gate("through", "t", lambda p: 1.0, "at full weight", Pen("through", "#12355b", (), 2.0))
CUTOFF = Gate("cutoff", "c", lambda p: 0.0, "not at all", Pen("cut off", "#b8b8b8", (1.0, 3.0), 0.9))
"""Its loss is never computed."""
POSITIVE = Gate(
    "positive", "p", lambda p: p, "more and more", Pen("positive linear (0 to 1)", "#2a9d3a", (5.0, 2.0), 2.0)
)
NEGATIVE = Gate(
    "negative", "n", lambda p: 1.0 - p, "less and less", Pen("negative linear (1 to 0)", "#d9541e", (1.0, 1.3), 2.4)
)
PAPER_GATES = (THROUGH, CUTOFF, POSITIVE, NEGATIVE)
"""The gates of section 3.2: what a study chooses from unless it says otherwise, whatever else is installed."""

GATES: Registry[Gate] = Registry(
    "gate",
    "colgan_search.gates",
    Gate,
    {gate.name: f"colgan_search.gates:{gate.name.upper()}" for gate in PAPER_GATES},
)


def get_gate(name: str) -> Gate:
    """The gate of that name. UnknownMember otherwise; PluginError if it cannot be loaded, or cannot be used."""
    gate = GATES.get(name)
    if gate not in PAPER_GATES:
        _require_own_letter(gate)
        for progress in (0.0, 0.5, 1.0):  # rather here than in the middle of a training
            gate.weight(progress)
    return gate


def parse_gate(text: str) -> Gate:
    """The gate of a name or of a letter; GraphError otherwise."""
    wanted = text.strip().lower()
    for gate in PAPER_GATES:
        if wanted in (gate.name, gate.letter):
            return gate
    if wanted in GATES:
        return get_gate(wanted)
    found = [gate for gate in _loadable() if gate.letter == wanted]
    if found:
        return get_gate(found[0].name)
    known = ", ".join(f"{gate.name} ({gate.letter})" for gate in _loadable())
    raise GraphError(f"unknown gate {text!r}; the gates are {known}")


def _loadable() -> list[Gate]:
    """Every gate that can be loaded: one broken package must not spoil the others."""
    gates = []
    for name in GATES.names():
        try:
            gates.append(GATES.get(name))
        except PluginError:
            continue
    return gates


def _require_own_letter(gate: Gate) -> None:
    """PluginError if the gate's letter is none, or means another gate too."""
    where = f"the gate {gate.name!r} of {GATES.origin(gate.name)}"
    if NAME.fullmatch(gate.letter) is None:
        raise PluginError(f"{where} has the letter {gate.letter!r}: small letters and digits only")
    for other in _loadable():
        if other is not gate and (gate.letter in (other.name, other.letter) or gate.name == other.letter):
            raise PluginError(
                f"{where} has the letter {gate.letter!r}, which the gate {other.name!r} ({other.letter}) has already; "
                "a graph's text would mean both"
            )


def progress_at(step: int, steps: int) -> float:
    """Progress p = t / (T - 1) at step t = 0..T-1: exactly 0 at the first and 1 at the last (0 if T = 1)."""
    if not 0 <= step < steps:
        raise ValueError(f"step {step} is not among the {steps} steps 0..{steps - 1}")
    return step / (steps - 1) if steps > 1 else 0.0
