"""Which edges and gates matter, in the terminal."""

from __future__ import annotations  # so that the search is not imported for its names

from typing import TYPE_CHECKING

from rich.table import Table

from colgan_search.cli.console import console, out
from colgan_search.records import Objective

if TYPE_CHECKING:
    from colgan_search.search.care.insight import Insight


def table(seen: Insight | str, objective: Objective) -> None:
    """Which edges and gates matter: a row per class of edges, a column per gate; or why that is not known."""
    if isinstance(seen, str):
        out(f"  what matters: {seen}")
        return
    out(
        f"  what matters, by a model of {seen.trials} trials of {seen.graphs} graphs: {objective.label} of the graphs "
        "with a gate on such an edge, less that of all, with 95 % intervals"
    )
    gates = list(dict.fromkeys(effect.gate for effect in seen.effects))
    rows = Table("edges", *gates, "fANOVA", box=None)
    for edges in dict.fromkeys(effect.edges for effect in seen.effects):
        cells = [
            f"{effect.mean:+.3f} +- {(effect.high - effect.low) / 2:.3f}"
            for effect in seen.effects
            if effect.edges == edges
        ]
        rows.add_row(edges, *cells, f"{seen.importance[edges]:.2f}" if edges in seen.importance else "")
    console().print(rows)


def as_json(seen: Insight | str) -> dict[str, object]:
    """`insight`, or `insight_missing`: why it is not known."""
    return {"insight": None, "insight_missing": seen} if isinstance(seen, str) else {"insight": seen.as_dict()}
