"""What a doctor says: one line for each thing that was looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Check:
    """One line of `doctor`: what was looked at, how it is, and what to do if it is not well."""

    name: str
    level: Level
    what: str
    advice: str = ""
