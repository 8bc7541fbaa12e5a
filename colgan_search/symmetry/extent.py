"""How large a study's space is, and what a number of trials buys in it."""

import math
from dataclasses import dataclass

from colgan_search.roster import Roster
from colgan_search.symmetry.counting import MAX_CYCLE_TYPES, count_assignments, count_distinct, kinds_of_relabellings

QUICK_CYCLE_TYPES = 20_000
"""Kinds of relabellings that are added up in passing, in 0.1 s: k = 35 with one discriminator."""

WRITTEN_OUT = 10**15
"""Larger numbers are told by their power of ten."""


@dataclass(frozen=True)
class Extent:
    """A space of graphs: `edges` edges, each with one of `gates` gates."""

    edges: int
    gates: int
    assignments: int
    """gates ** edges."""
    distinct: int
    """Graphs up to relabelling; where `exact` is False, there are more than this."""
    exact: bool

    @property
    def distinct_words(self) -> str:
        """`44,224`, `more than 10^19`."""
        return number_words(self.distinct, more=not self.exact)

    @property
    def words(self) -> str:
        """`44,224 distinct graphs (262,144 assignments of 4 gates to 9 edges)`."""
        assigned = f"{number_words(self.assignments)} assignments of {self.gates} gates to {self.edges} edges"
        return f"{self.distinct_words} distinct graphs ({assigned})"

    def bought(self, trials: int, replicates: int = 0) -> str:
        """What so many trials, of which some are planned replicates, can be: a part of the graphs, or all of them once
        and replicates."""
        if self.exact and trials >= self.distinct:
            more = trials - self.distinct
            then = "" if not more else f", then {_counted(more, 'replicate')}"
            return f"{_counted(trials, 'trial')}: {self.distinct:,} distinct graphs once each{then}"
        if not replicates:
            return f"{_counted(trials, 'trial')}: {self._part(trials)}"
        return (
            f"{_counted(trials, 'trial')}: about {self._part(trials - replicates)}, "
            f"and {_counted(replicates, 'replicate')} of leading ones"
        )

    def at_most(self, trials: int) -> str:
        """What so many trials can be for who repeats graphs unawares."""
        return f"{_counted(trials, 'trial')}: at most {self._part(min(trials, self.distinct))}"

    def _part(self, graphs: int) -> str:
        share = 100.0 * graphs / self.distinct if self.distinct < WRITTEN_OUT else 0.0
        # In a space of which only a lower bound is known, the share is an upper one.
        percent = f"{share:.1f} %" if self.exact and share >= 0.1 else "less than 0.1 %" if share < 0.1 else ""
        return f"{graphs:,} of {self.distinct_words} distinct graphs{', ' if percent else ''}{percent}"


def extent(roster: Roster, gates: int, *, patient: bool = False) -> Extent:
    """The space of a roster with so many gates.

    Counted by `count_distinct` where that takes no time, or where `patient` (some 20 s at most) and it is not too
    large; else `distinct` is gates ** edges / (k! m!), which there are more graphs than.
    """
    assignments = count_assignments(roster, gates)
    edges = len(roster.edges)
    if kinds_of_relabellings(roster) <= (MAX_CYCLE_TYPES if patient else QUICK_CYCLE_TYPES):
        return Extent(edges, gates, assignments, count_distinct(roster, gates), exact=True)
    relabellings = math.prod(math.factorial(len(group)) for group in roster.exchangeable)
    return Extent(edges, gates, assignments, assignments // relabellings, exact=False)


def number_words(number: int, *, more: bool = False) -> str:
    """`262,144`, `about 10^38`; with `more`, as a lower bound: `more than 10^19`."""
    if number < WRITTEN_OUT:
        return f"{'more than ' if more else ''}{number:,}"
    power = math.log10(number)
    return f"more than 10^{math.floor(power)}" if more else f"about 10^{round(power)}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
