"""A model of graphs up to relabelling, from the scores of all generators of all trainings."""

from colgan_search.surrogate.model import Belief, GraphModel

__all__ = ["Belief", "GraphModel"]
