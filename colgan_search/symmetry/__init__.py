"""Graphs up to relabelling of exchangeable nodes: canonical forms, counts, lists (section 3.2)."""

from colgan_search.symmetry.canonical import canonical, canonical_order, count_relabellings, relabellings
from colgan_search.symmetry.counting import count_assignments, count_distinct, distinct_graphs
from colgan_search.symmetry.extent import Extent, extent

__all__ = [
    "Extent",
    "canonical",
    "canonical_order",
    "count_assignments",
    "count_distinct",
    "count_relabellings",
    "distinct_graphs",
    "extent",
    "relabellings",
]
