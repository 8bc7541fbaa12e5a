"""Synthetic functions on graphs, by name: families that are drawn by seed, the same for all relabellings of a graph."""

from colgan_search.registry import Registry
from colgan_search.rehearsal.functions.family import Family

FAMILIES: Registry[Family] = Registry(
    "function",
    "colgan_search.rehearsal_functions",
    Family,  # type: ignore[type-abstract]
    {
        "maximum": "colgan_search.rehearsal.functions.sums:MAXIMUM",
        "interactions": "colgan_search.rehearsal.functions.sums:INTERACTIONS",
        "cliffs": "colgan_search.rehearsal.functions.counts:CLIFFS",
        "reachability": "colgan_search.rehearsal.functions.paths:REACHABILITY",
        "profiles": "colgan_search.rehearsal.functions.profiles:PROFILES",
        "teams": "colgan_search.rehearsal.functions.teams:TEAMS",
        "feedback": "colgan_search.rehearsal.functions.feedback:FEEDBACK",
        "modes": "colgan_search.rehearsal.functions.modes:MODES_FAMILY",
    },
)

__all__ = ["FAMILIES", "Family"]
